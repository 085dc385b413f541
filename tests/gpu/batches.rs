// SPDX-License-Identifier: MIT OR Apache-2.0
//! Several streams in one run.

use crate::SMALL;
use crate::results::{assert_equal, faces};

#[test]
fn streams_whose_pictures_are_run_together_find_what_one_finds_alone() {
    let chain = |run: &str| format!("emotionfacedetect {run} {SMALL} ! emotionclassify {run} model-file=expression smoothing=0");
    let expected = faces(&chain("execution-provider=cpu"));
    std::thread::scope(|scope| {
        let streams: Vec<_> =
            (0..4).map(|_| scope.spawn(move || faces(&chain("execution-provider=webgpu batch-window=50000000")))).collect();
        for stream in streams {
            assert_equal(&stream.join().expect("no panic"), &expected);
        }
    });
}
