// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which elements leave every part of a picture where it is.

/// Types of the elements that leave pictures in place, by purpose. `tests/pipeline/moved.rs` checks those that are installed. An
/// element that isn't listed counts as one that moves pictures: a face that is hidden in the wrong place is visible.
#[rustfmt::skip]
const IN_PLACE: [&[&str]; 6] = [
    // Flow.
    &["GstCapsFilter", "GstClockSync", "GstConcat", "GstDebugSpy", "GstDownloadBuffer", "GstErrorIgnore", "GstFunnel", "GstIdentity",
      "GstInputSelector", "GstMultiQueue", "GstNetSim", "GstOutputSelector", "GstProgressReport", "GstQueue", "GstQueue2", "GstRoundRobin",
      "GstStreamSynchronizer", "GstStreamidDemux", "GstTagInject", "GstTee", "GstTypeFindElement", "GstValve", "GstWatchdog"],
    // Time.
    &["GstAvWait", "GstCombDetect", "GstDeinterlace", "GstFFMpegDeinterlace", "GstFieldAnalysis", "GstImageFreeze", "GstInterlace",
      "GstIvtc", "GstTimeCodeStamper", "GstVideoRate", "GstVideoSegmentClip"],
    // Colours and pixels.
    &["GstAlpha", "GstAlphaColor", "GstBurn", "GstChromaHold", "GstChromium", "GstColorEffects", "GstCvDilate", "GstCvEqualizeHist",
      "GstCvErode", "GstCvSmooth", "GstCvSobel", "GstDilate", "GstDodge", "GstEdgeDetect", "GstExclusion",
      "GstGamma", "GstGaussianBlur", "GstLcms", "GstRetinex", "GstSmooth", "GstSolarize", "GstVideoBalance", "GstVideoConvert",
      "GstVideoMedian"],
    // What is drawn on top.
    &["GstAssRender", "GstCCCombiner", "GstCCExtractor", "GstCairoOverlay", "GstCeaCcOverlay", "GstClockOverlay", "GstDVBSubOverlay",
      "GstDVDSpu", "GstDebugQROverlay", "GstEmotionOverlay", "GstFaceOverlay", "GstGdkPixbufOverlay", "GstLine21Decoder",
      "GstLine21Encoder", "GstObjectDetectionOverlay", "GstOpencvTextOverlay", "GstOverlayComposition", "GstQROverlay", "GstRsvgOverlay",
      "GstTextOverlay", "GstTimeOverlay", "GstTtmlRender", "GstZebraStripe"],
    // Analysis.
    &["GstFaceBlur", "GstHanddetect", "GstIouTracker", "GstMotioncells", "GstNavigationtest", "GstOnnxInference", "GstSceneChange",
      "GstSimpleVideoMark", "GstSimpleVideoMarkDetect", "GstTemplateMatch", "GstVideoAnalyse", "GstVideoFrameAudioLevel", "GstZBar",
      "GstZXing"],
    // Memory of graphics processors.
    &["GstCudaDownload", "GstCudaUpload", "GstD3D11Download", "GstD3D11Upload", "GstGLColorConvertElement", "GstGLDownloadElement",
      "GstGLUploadElement", "GstVulkanColorConvert", "GstVulkanDownload", "GstVulkanUpload"],
];

/// True if elements of this type leave pictures in place.
pub fn keeps_place(type_name: &str) -> bool {
    IN_PLACE.iter().any(|group| group.binary_search(&type_name).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_are_sorted() {
        for group in IN_PLACE {
            assert!(group.is_sorted(), "{:?}", group.windows(2).find(|pair| pair[0] > pair[1]));
        }
        assert!(keeps_place("GstQueue") && keeps_place("GstEmotionOverlay") && !keeps_place("GstRotate"));
    }
}
