// SPDX-License-Identifier: MIT OR Apache-2.0
//! Evaluation of an expression model on labelled faces: each output by each protocol that the data support, and the first
//! output under each condition.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::ScopedJoinHandle;
use std::time::Duration;

use emotion_core::expression::classifier::Classifier;
use emotion_core::model::runtime::{Provider, RunOptions};
use emotion_core::model::search_path::SearchPath;
use emotion_core::model::{ModelFile, OutputDescription};
use emotion_core::scores::{FERPLUS_LABELS, Scores};
use emotion_core::statistics::StepTimes;

use crate::calibration::Answer;
use crate::condition::{ALL, Condition};
use crate::confusion::Confusion;
use crate::dataset::{Dataset, Example};
use crate::error::{Error, Result};
use crate::report::{ConditionReport, Figures, Loss, OutputReport, Protocol, Report};
use crate::truth::Question;

/// Options of an evaluation.
pub struct Options<'a> {
    /// Also measure under each [`Condition`].
    pub conditions: bool,
    /// Number of networks that run in parallel, at least 1.
    pub jobs: usize,
    /// Called from any thread with the finished share, 0..1.
    pub progress: &'a (dyn Fn(f32) + Sync),
}

impl Protocol {
    /// The protocols by which at least one picture of `data` has a true class, and their classes.
    fn of(data: &Dataset) -> Vec<(Self, Vec<String>)> {
        let votes = data.examples.iter().any(|example| example.majority.is_some());
        let votes = votes.then(|| (Self::Votes, FERPLUS_LABELS.map(String::from).to_vec()));
        let labels = (!data.labels.is_empty()).then(|| (Self::Labels, data.labels.clone()));
        votes.into_iter().chain(labels).collect()
    }

    fn truth(self, example: &Example) -> Option<usize> {
        match self {
            Self::Votes => example.majority,
            Self::Labels => example.label,
        }
    }
}

/// Runs `model` on `data`. Pictures are classified whole, since data sets consist of cropped faces.
///
/// # Errors
/// Those of [`Classifier::load`] for any of the model's outputs, of [`Example::picture`] and of inference;
/// [`Error::Data`] if model and data have no class in common.
pub fn evaluate(model: &ModelFile, data: &Dataset, search: &SearchPath, options: &Options) -> Result<Report> {
    let description = load_output(model, 0, search)?.description().clone();
    let indices: Vec<_> = (0..description.outputs.len()).filter(|&index| !description.outputs[index].labels.is_empty()).collect();
    let conditions = if options.conditions { &ALL[..] } else { &ALL[..1] };
    let steps = data.examples.len() * (conditions.len() + indices.len() - 1);
    let done = AtomicUsize::new(0);
    let step = || (options.progress)((done.fetch_add(1, Ordering::Relaxed) + 1) as f32 / steps as f32);
    let (mut reports, mut under_conditions, mut step_times) = (Vec::new(), Vec::new(), Vec::new());
    for index in indices {
        let classifiers = (0..options.jobs.max(1)).map(|_| load_output(model, index, search)).collect::<Result<Vec<_>>>()?;
        let output = &description.outputs[index];
        let conditions = if index == 0 { conditions } else { &ALL[..1] };
        let (scores, times) = score(classifiers, data, conditions, &step)?;
        let figures = figures(&output.labels, data, &scores[0])?;
        if options.conditions && index == 0 {
            let loss = |(condition, scores): (&Condition, &Vec<Scores>)| losses(condition, &output.labels, data, scores, &figures);
            under_conditions = conditions.iter().zip(&scores).map(loss).collect::<Result<_>>()?;
        }
        step_times.extend(times);
        reports.push(OutputReport { output: output.name.clone(), figures });
    }
    Ok(Report {
        model: description.name,
        version: description.version,
        data: data.path.display().to_string(),
        pictures: data.examples.len(),
        preprocess_ms: median_ms(step_times.iter().map(|times| times.preprocess)),
        inference_ms: median_ms(step_times.iter().map(|times| times.inference)),
        outputs: reports,
        conditions: under_conditions,
    })
}

/// Loads the model with output `index` of its description, from which the classifier takes its scores.
fn load_output(model: &ModelFile, index: usize, search: &SearchPath) -> Result<Classifier> {
    let mut model = model.clone();
    if let Some(description) = model.description.as_mut().filter(|_| index > 0) {
        let chosen = description.outputs.swap_remove(index);
        description.outputs = vec![OutputDescription { prior: None, ..chosen }];
    }
    Ok(Classifier::load(model, search, RunOptions { threads: 1, provider: Provider::Cpu })?)
}

/// The median in milliseconds; 0 without durations.
fn median_ms(durations: impl Iterator<Item = Duration>) -> f64 {
    let mut sorted: Vec<_> = durations.collect();
    sorted.sort();
    sorted.get(sorted.len() / 2).map_or(0.0, |median| 1e3 * median.as_secs_f64())
}

/// The scores of each picture under each condition, `[condition][picture]`, and the times of each classification.
type Scored = (Vec<Vec<Scores>>, Vec<StepTimes>);

/// Scores all pictures, with a thread for each classifier.
fn score(classifiers: Vec<Classifier>, data: &Dataset, conditions: &[Condition], step: &(dyn Fn() + Sync)) -> Result<Scored> {
    let share = data.examples.len().div_ceil(classifiers.len()).max(1);
    let parts = std::thread::scope(|scope| {
        let mut threads = Vec::new();
        for (part, (mut classifier, examples)) in classifiers.into_iter().zip(data.examples.chunks(share)).enumerate() {
            threads.push(scope.spawn(move || score_part(&mut classifier, examples, part * share, conditions, step)));
        }
        let join = |thread: ScopedJoinHandle<Result<_>>| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        threads.into_iter().map(join).collect::<Result<Vec<_>>>()
    })?;
    let mut scores = vec![Vec::with_capacity(data.examples.len()); conditions.len()];
    let mut times = Vec::new();
    for (part, part_times) in parts {
        scores.iter_mut().zip(part).for_each(|(all, part)| all.extend(part));
        times.extend(part_times);
    }
    Ok((scores, times))
}

/// Scores `examples`, the first of which has the index `first` in the data set.
fn score_part(
    classifier: &mut Classifier,
    examples: &[Example],
    first: usize,
    conditions: &[Condition],
    step: &(dyn Fn() + Sync),
) -> Result<Scored> {
    let mut scores = vec![Vec::with_capacity(examples.len()); conditions.len()];
    let mut times = Vec::with_capacity(examples.len() * conditions.len());
    for (number, example) in examples.iter().enumerate() {
        let picture = example.picture()?;
        for (condition, scores) in conditions.iter().zip(&mut scores) {
            let changed = condition.apply(&picture)?;
            let crop = condition.crop(changed.size, first + number);
            scores.extend_from_slice(classifier.classify_crops(&changed.view()?, &[crop])?);
            times.push(classifier.step_times());
            step();
        }
    }
    Ok((scores, times))
}

/// The metrics of the scores of all pictures by each protocol.
fn figures(labels: &[String], data: &Dataset, scores: &[Scores]) -> Result<Vec<Figures>> {
    let by_protocol = |(protocol, classes): (Protocol, Vec<String>)| {
        let question = Question::new(&classes, labels)?;
        let mut confusion = Confusion::new(&classes);
        let answered = data.examples.iter().zip(scores).filter_map(|(example, scores)| {
            let (truth, (class, confidence)) = (protocol.truth(example)?, question.answer(scores));
            confusion.add(truth, class);
            Some(Answer { confidence, right: class == truth })
        });
        let answers: Vec<_> = answered.collect();
        Some(Figures::new(protocol, confusion, &answers))
    };
    let protocols = Protocol::of(data);
    let found: Vec<_> = protocols.clone().into_iter().filter_map(by_protocol).collect();
    if found.is_empty() {
        let classes: Vec<_> = protocols.into_iter().flat_map(|(_, classes)| classes).collect();
        let (labels, classes) = (labels.join(", "), classes.join(", "));
        return Err(Error::data(&data.path, format!("expected some of the model's classes ({labels}), found {classes}")));
    }
    Ok(found)
}

/// The metrics under a condition, and the accuracy lost compared to clean pictures.
fn losses(condition: &Condition, labels: &[String], data: &Dataset, scores: &[Scores], clean: &[Figures]) -> Result<ConditionReport> {
    let loss = |(found, clean): (Figures, &Figures)| Loss {
        protocol: found.protocol,
        accuracy: found.accuracy,
        macro_recall: found.macro_recall,
        lost: clean.accuracy - found.accuracy,
    };
    let losses = figures(labels, data, scores)?.into_iter().zip(clean).map(loss).collect();
    Ok(ConditionReport { condition: condition.to_string(), losses })
}
