// SPDX-License-Identifier: MIT OR Apache-2.0
//! An expression model on labelled faces: every output by every protocol the data allow, and under every condition.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::ScopedJoinHandle;

use super::calibration::Answer;
use super::condition::{ALL, Condition};
use super::confusion::Confusion;
use super::dataset::{Dataset, Example};
use super::report::{ConditionReport, Figures, Loss, OutputReport, Protocol, Report};
use super::truth::Question;
use crate::classifier::Classifier;
use crate::emotion::{FERPLUS_LABELS, Scores};
use crate::error::{Error, Result};
use crate::inference::{Provider, RunOptions};
use crate::locate::SearchPath;
use crate::model::ModelFile;

/// How an evaluation is done.
pub struct Options<'a> {
    /// Also measure under each [`Condition`].
    pub conditions: bool,
    /// Networks that run side by side, at least 1.
    pub jobs: usize,
    /// Is told the share that is done, 0..1, from any thread.
    pub progress: &'a (dyn Fn(f32) + Sync),
}

impl Protocol {
    /// The protocols by which something of `data` has a label, with their classes.
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

/// Runs `model` over `data`; pictures are classified whole, as they were cropped by whoever made the data.
///
/// # Errors
/// Those of [`Classifier::load`] for any of the model's outputs, of [`Example::picture`] and of inference;
/// [`Error::Config`] if model and data have no class in common.
pub fn evaluate(model: &ModelFile, data: &Dataset, search: &SearchPath, options: &Options) -> Result<Report> {
    let outputs = model.description.as_ref().map_or(&[][..], |description| &description.outputs);
    // The first is the one the element gives; it has to be right, or loading it tells what is wrong.
    let indices: Vec<_> = (0..outputs.len().max(1)).filter(|&index| index == 0 || !outputs[index].labels.is_empty()).collect();
    let conditions = if options.conditions { &ALL[..] } else { &ALL[..1] };
    let steps = data.examples.len() * (conditions.len() + indices.len() - 1);
    let done = AtomicUsize::new(0);
    let step = || (options.progress)((done.fetch_add(1, Ordering::Relaxed) + 1) as f32 / steps as f32);
    let (mut reports, mut under_conditions) = (Vec::new(), Vec::new());
    for index in indices {
        let classifiers = (0..options.jobs).map(|_| load_output(model, index, search)).collect::<Result<Vec<_>>>()?;
        let labels = classifiers[0].labels().as_slice().to_vec();
        let conditions = if index == 0 { conditions } else { &ALL[..1] };
        let scores = score(classifiers, data, conditions, &step)?;
        let figures = figures(&labels, data, &scores[0])?;
        if options.conditions && index == 0 {
            under_conditions = conditions
                .iter()
                .zip(&scores)
                .map(|(condition, scores)| losses(condition, &labels, data, scores, &figures))
                .collect::<Result<_>>()?;
        }
        reports.push(OutputReport { output: outputs[index].name.clone(), figures });
    }
    let (name, version) =
        model.description.as_ref().map(|description| (description.name.clone(), description.version.clone())).unwrap_or_default();
    let data_path = data.path.display().to_string();
    Ok(Report { model: name, version, data: data_path, pictures: data.examples.len(), outputs: reports, conditions: under_conditions })
}

/// The model with output `index` of its description as the one that is scored.
fn load_output(model: &ModelFile, index: usize, search: &SearchPath) -> Result<Classifier> {
    let mut model = model.clone();
    if let Some(description) = model.description.as_mut().filter(|_| index > 0) {
        description.outputs.swap(0, index);
    }
    Classifier::load(model, search, RunOptions { threads: 1, provider: Provider::Cpu })
}

/// The scores of each picture under each condition: `[condition][picture]`.
fn score(classifiers: Vec<Classifier>, data: &Dataset, conditions: &[Condition], step: &(dyn Fn() + Sync)) -> Result<Vec<Vec<Scores>>> {
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
    for part in parts {
        scores.iter_mut().zip(part).for_each(|(all, part)| all.extend(part));
    }
    Ok(scores)
}

/// `examples` are those from number `first` on.
fn score_part(
    classifier: &mut Classifier,
    examples: &[Example],
    first: usize,
    conditions: &[Condition],
    step: &(dyn Fn() + Sync),
) -> Result<Vec<Vec<Scores>>> {
    let mut scores = vec![Vec::with_capacity(examples.len()); conditions.len()];
    for (number, example) in examples.iter().enumerate() {
        let picture = example.picture()?;
        for (condition, scores) in conditions.iter().zip(&mut scores) {
            let changed = condition.apply(&picture)?;
            let crop = condition.crop(changed.size, first + number);
            scores.extend_from_slice(classifier.classify_crops(&changed.view()?, &[crop])?);
            step();
        }
    }
    Ok(scores)
}

/// What `scores` of all pictures are worth by each protocol.
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
        let (data, labels) = (data.path.display(), labels.join(", "));
        return Err(Error::Config(format!("{data}: expected some of the model's classes ({labels}), found {}", classes.join(", "))));
    }
    Ok(found)
}

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
