// SPDX-License-Identifier: MIT OR Apache-2.0
//! Values derived from the bytes of a case.

/// Floats at which arithmetic tends to go wrong.
const FLOATS: [f32; 24] = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    255.0,
    256.0,
    65_535.0,
    16_777_216.0,
    2_147_483_648.0,
    4_294_967_296.0,
    -4_294_967_296.0,
    1e9,
    1e19,
    -1e19,
    1e30,
    -1e30,
    f32::MIN_POSITIVE,
    1e-30,
    f32::MAX,
    f32::MIN,
    f32::INFINITY,
    f32::NEG_INFINITY,
    f32::NAN,
];

/// Integers at which arithmetic tends to go wrong.
const INTEGERS: [u64; 16] = [
    0,
    1,
    2,
    3,
    127,
    255,
    256,
    65_535,
    65_536,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_fffe,
    0xffff_ffff,
    0x1_0000_0000,
    i64::MAX as u64,
    u64::MAX,
];

/// Pieces of text that formats treat in a special way.
const PIECES: [&str; 30] = [
    "happiness",
    "a",
    "neutral",
    " ",
    "",
    ",",
    ";",
    "\"",
    "'",
    "\n",
    "\r\n",
    "\r",
    "\t",
    "\0",
    "\u{1b}[2J",
    "\u{7f}",
    "\u{85}",
    "\u{2028}",
    "-->",
    "<b>",
    "&amp;",
    "=1+1",
    "@",
    "{",
    "}",
    "\\",
    "\\u0000",
    "Glück",
    "🙂",
    "\u{202e}",
];

/// Reads values from the bytes of a case. Missing bytes count as zeros, so that every case is
/// valid, and a shorter case is simpler.
pub struct Input<'a> {
    rest: &'a [u8],
}

impl<'a> Input<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub fn byte(&mut self) -> u8 {
        let Some((&first, rest)) = self.rest.split_first() else { return 0 };
        self.rest = rest;
        first
    }

    pub fn flag(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    /// True once in about `times` cases.
    pub fn one_in(&mut self, times: u8) -> bool {
        self.byte() % times == times - 1
    }

    /// An integer below `limit`, which is at max 65,536.
    pub fn below(&mut self, limit: usize) -> usize {
        let wide = if limit > 256 { usize::from(self.byte()) << 8 } else { 0 };
        (wide | usize::from(self.byte())) % limit.max(1)
    }

    pub fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    /// Any integer: a small one, one at which arithmetic tends to go wrong, or eight raw bytes.
    pub fn integer(&mut self) -> u64 {
        match self.byte() % 4 {
            0 | 1 => u64::from(self.byte()),
            2 => self.pick(&INTEGERS),
            _ => u64::from_le_bytes(std::array::from_fn(|_| self.byte())),
        }
    }

    /// A float from `low` to `high`.
    pub fn within(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * (self.below(65_536) as f32 / 65_535.0)
    }

    /// Any float: one from 0 to 1, one at which arithmetic tends to go wrong, or four raw bytes.
    pub fn float(&mut self) -> f32 {
        match self.byte() % 4 {
            0 | 1 => self.within(0.0, 1.0),
            2 => self.pick(&FLOATS),
            _ => f32::from_le_bytes(std::array::from_fn(|_| self.byte())),
        }
    }

    /// Up to `max` values.
    pub fn many<T>(&mut self, max: usize, mut value: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.below(max + 1)).map(|_| value(self)).collect()
    }

    /// Text of a few pieces. The number of different texts is small, since some are interned for the life of the process.
    pub fn text(&mut self) -> String {
        self.many(2, |input| input.pick(&PIECES)).concat()
    }

    /// Up to `max` bytes.
    pub fn bytes(&mut self, max: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at(max.min(self.rest.len()));
        self.rest = rest;
        taken
    }
}
