// SPDX-License-Identifier: MIT OR Apache-2.0
//! Pictures that lie on their side: the option `--turn`, and how faces of a turned picture lie in the picture as it is stored.

use std::str::FromStr;
use std::sync::Arc;

use clap::ValueEnum;
use emotion_core::geometry::{Point, Rect, Size};
use emotion_core::record::FaceRecord;
use emotion_supervise::chain::name_of;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// How pictures are turned before they are searched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Turn {
    /// A photo with few faces is searched in all four directions.
    Auto,
    /// Not at all.
    #[default]
    #[value(name = "0")]
    None,
    /// 90 degrees clockwise.
    #[value(name = "90")]
    Right,
    /// 180 degrees.
    #[value(name = "180")]
    Half,
    /// 270 degrees clockwise.
    #[value(name = "270")]
    Left,
}

/// A text is not a direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected auto, 0, 90, 180 or 270")]
pub struct NoTurn;

impl FromStr for Turn {
    type Err = NoTurn;

    fn from_str(text: &str) -> Result<Self, NoTurn> {
        <Self as ValueEnum>::from_str(text, false).map_err(|_| NoTurn)
    }
}

/// As the value of the option; null if pictures are not turned.
impl Serialize for Turn {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.name().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Turn {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let turn = |text: String| text.parse().map_err(|error| serde::de::Error::custom(format!("turn: {error}, found {text}")));
        Option::deserialize(deserializer)?.map_or(Ok(Self::None), turn)
    }
}

impl Turn {
    /// The value of the option; `None` if pictures are not turned.
    fn name(self) -> Option<String> {
        (self != Self::None).then(|| name_of(&self))
    }

    /// The direction in which every picture is searched; `None` if it is to be found.
    pub fn direction(self) -> Option<Direction> {
        match self {
            Self::Auto => None,
            Self::None => Some(Direction::Stored),
            Self::Right => Some(Direction::Right),
            Self::Half => Some(Direction::Half),
            Self::Left => Some(Direction::Left),
        }
    }
}

/// A direction in which a picture is searched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// As it is stored.
    #[default]
    Stored,
    /// Turned by 90 degrees clockwise.
    Right,
    /// Turned by 180 degrees.
    Half,
    /// Turned by 270 degrees clockwise.
    Left,
}

impl Direction {
    /// The directions besides that of the picture as it is stored.
    pub const OTHERS: [Self; 3] = [Self::Right, Self::Half, Self::Left];

    /// Degrees, clockwise.
    pub fn degrees(self) -> u16 {
        match self {
            Self::Stored => 0,
            Self::Right => 90,
            Self::Half => 180,
            Self::Left => 270,
        }
    }

    /// The value of `video-direction` that turns a picture this way.
    pub fn video_direction(self) -> &'static str {
        match self {
            Self::Stored => "identity",
            Self::Right => "90r",
            Self::Half => "180",
            Self::Left => "90l",
        }
    }

    /// The size of the picture as it is stored, of which the turned one has this size.
    pub fn stored_size(self, turned: Size) -> Size {
        if matches!(self, Self::Right | Self::Left) { Size::new(turned.height, turned.width) } else { turned }
    }

    /// Moves the box and the landmarks of a face in the turned picture to the picture as it is stored. Its pose stays that in the turned
    /// picture, in which the face is upright.
    pub fn move_to_stored(self, record: &mut FaceRecord) {
        record.rect_norm = self.stored_rect(record.rect_norm);
        if let Some(landmarks) = record.detection.as_mut().and_then(|detection| detection.landmarks_norm.as_mut()) {
            landmarks.0.iter_mut().for_each(|point| *point = self.stored_point(*point));
        }
        if let Some(geometry) = record.geometry.as_mut().filter(|_| self != Self::Stored) {
            let geometry = Arc::make_mut(geometry);
            geometry.landmarks_norm = geometry.landmarks_norm.map(|point| self.stored_point(point));
        }
    }

    fn stored_rect(self, turned: Rect) -> Rect {
        let Rect { x, y, w, h } = turned;
        match self {
            Self::Stored => turned,
            Self::Right => Rect { x: y, y: 1.0 - x - w, w: h, h: w },
            Self::Half => Rect { x: 1.0 - x - w, y: 1.0 - y - h, w, h },
            Self::Left => Rect { x: 1.0 - y - h, y: x, w: h, h: w },
        }
    }

    fn stored_point(self, turned: Point) -> Point {
        let Point { x, y } = turned;
        match self {
            Self::Stored => turned,
            Self::Right => Point { x: y, y: 1.0 - x },
            Self::Half => Point { x: 1.0 - x, y: 1.0 - y },
            Self::Left => Point { x: 1.0 - y, y: x },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use emotion_core::face_geometry::{Blendshapes, FaceGeometry, HeadPose, Landmarks70};

    use super::*;

    #[test]
    fn boxes_return_to_the_picture_as_it_is_stored() {
        // In the upper left corner of the stored picture, twice as wide as high.
        let stored = Rect { x: 0.0, y: 0.0, w: 0.5, h: 0.25 };
        for (direction, turned) in [
            (Direction::Stored, stored),
            (Direction::Right, Rect { x: 0.75, y: 0.0, w: 0.25, h: 0.5 }),
            (Direction::Half, Rect { x: 0.5, y: 0.75, w: 0.5, h: 0.25 }),
            (Direction::Left, Rect { x: 0.0, y: 0.5, w: 0.25, h: 0.5 }),
        ] {
            assert_eq!(direction.stored_rect(turned), stored, "{direction:?}");
            let (corner, middle) = (Point { x: turned.x, y: turned.y }, Point { x: 0.5, y: 0.5 });
            let corners = [(0.0, 0.0), (0.0, 0.25), (0.5, 0.25), (0.5, 0.0)];
            let expected = corners[usize::from(direction.degrees() / 90)];
            assert_eq!(direction.stored_point(corner), Point { x: expected.0, y: expected.1 }, "{direction:?}");
            assert_eq!(direction.stored_point(middle), middle);
        }
    }

    #[test]
    fn landmarks_move_with_the_picture_and_the_pose_does_not() {
        let geometry = FaceGeometry {
            pose: HeadPose { yaw: 10.0, pitch: 0.0, roll: 0.0 },
            landmarks_norm: Landmarks70([Point { x: 0.75, y: 0.25 }; 70]),
            blendshapes: Blendshapes::default(),
            trust: 0.9,
            age: Duration::ZERO,
            model_name: "test".into(),
        };
        let geometry = Some(Arc::new(geometry));
        let rect_norm = Rect { x: 0.5, y: 0.0, w: 0.5, h: 0.5 };
        let mut record = FaceRecord { id: 1, rect_norm, detection: None, emotion: None, geometry, confirmed: true };
        Direction::Right.move_to_stored(&mut record);
        let geometry = record.geometry.unwrap();
        assert_eq!((geometry.landmarks_norm.0[0], geometry.pose.yaw), (Point { x: 0.25, y: 0.25 }, 10.0));
    }

    #[test]
    fn directions_have_the_names_of_their_degrees() {
        assert_eq!(["auto", "0", "270"].map(str::parse::<Turn>), [Ok(Turn::Auto), Ok(Turn::None), Ok(Turn::Left)]);
        assert_eq!("45".parse::<Turn>(), Err(NoTurn));
    }

    #[test]
    fn a_picture_that_lies_on_its_side_has_its_sides_swapped() {
        let turned = Size::new(3, 4);
        let sizes = [Direction::Stored, Direction::Right, Direction::Half, Direction::Left].map(|way| way.stored_size(turned));
        assert_eq!(sizes, [turned, Size::new(4, 3), turned, Size::new(4, 3)]);
    }
}
