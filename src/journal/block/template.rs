//! Bodies as templates and numbers.
//!
//! Messages of a kind differ in their numbers and in little else. A body is split into its template (the text with a
//! mark where digits stood) and its numbers; the template is stored once a block, the numbers of a place one after the
//! other, as differences. That halves what compression leaves, and there is less to compress. Bodies that share no
//! template with others are kept as they are.

use std::collections::HashMap;

use foldhash::fast::FixedState;

use super::super::varint;
use crate::digits;

/// Stands for a number without leading zeros.
const NUMBER: u8 = 0;

/// Stands for digits that begin with a zero and are not `0`: their count is kept beside the number.
const PADDED: u8 = 1;

/// Digits of a number; longer ones are split. 10^18 fits 63 bits.
const DIGITS_MAX: usize = 18;

/// Templates of a block. Where there are more, they are no templates.
const TEMPLATES_MAX: usize = 512;

/// Bodies after which it is decided whether looking for templates pays.
const TRIAL: usize = 4096;

/// Splits bodies. Keeps its memory from block to block.
#[derive(Debug, Default)]
pub(super) struct Encoder {
    index: HashMap<Vec<u8>, usize, FixedState>,
    templates: Vec<Template>,
    /// How many of the templates are in use; the others keep memory.
    count: usize,
    whole_count: usize,
    split_count: usize,
    /// Per body: 0 if it is kept whole, else the number of its template.
    refs: Vec<u8>,
    /// Bodies kept whole, and their lengths.
    whole: Vec<u8>,
    whole_lengths: Vec<u8>,
    text: Vec<u8>,
    numbers: Vec<i64>,
    /// The templates that bodies which begin alike had last.
    recent: Recent,
}

#[derive(Debug, Default)]
struct Template {
    text: Vec<u8>,
    /// Where the marks are in the text.
    marks: Vec<usize>,
    columns: Vec<Column>,
}

/// Guesses a body's template from how it begins; two guesses for each beginning.
#[derive(Debug)]
struct Recent([[usize; 2]; 256]);

impl Default for Recent {
    fn default() -> Self {
        Self([[usize::MAX; 2]; 256])
    }
}

impl Recent {
    /// The guesses for a body. Its first bytes are passed over: they are what all messages begin with.
    fn guesses(&mut self, body: &[u8]) -> Option<&mut [usize; 2]> {
        let beginning = u128::from_le_bytes(*body.get(8..)?.first_chunk()?);
        let mixed = (beginning as u64 ^ (beginning >> 64) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Some(&mut self.0[(mixed >> 56) as usize])
    }
}

/// The numbers at one place of a template.
#[derive(Debug, Default)]
struct Column {
    before: i64,
    differences: Vec<u8>,
}

impl Encoder {
    pub(super) fn push(&mut self, body: &[u8]) {
        match self.template(body) {
            Some(place) => {
                self.split_count += 1;
                varint::put(&mut self.refs, place as u64 + 1);
                for (column, number) in self.templates[place].columns.iter_mut().zip(&self.numbers) {
                    varint::put_signed(&mut column.differences, number - column.before);
                    column.before = *number;
                }
            }
            None => {
                self.whole_count += 1;
                self.refs.push(0);
                varint::put(&mut self.whole_lengths, body.len() as u64);
                self.whole.extend_from_slice(body);
            }
        }
    }

    /// The place of a body's template, with its numbers in `self.numbers`; `None` if it is to be kept whole.
    fn template(&mut self, body: &[u8]) -> Option<usize> {
        let is_vain = self.whole_count > TRIAL && self.whole_count > self.split_count;
        if is_vain {
            return None;
        }
        let guesses = self.recent.guesses(body).map_or([usize::MAX; 2], |guesses| *guesses);
        if let Some(place) = guesses.into_iter().find(|place| self.follows(*place, body)) {
            return Some(place);
        }
        if !self.split(body) {
            return None;
        }
        let place = match self.index.get(self.text.as_slice()) {
            Some(place) => *place,
            None => self.add_template()?,
        };
        if let Some(guesses) = self.recent.guesses(body) {
            *guesses = [place, guesses[0]];
        }
        Some(place)
    }

    /// Makes `self.text` a template; `None` if there are enough.
    fn add_template(&mut self) -> Option<usize> {
        if self.count == TEMPLATES_MAX {
            return None;
        }
        let place = self.count;
        self.count += 1;
        if self.templates.len() < self.count {
            self.templates.push(Template::default());
        }
        let template = &mut self.templates[place];
        template.text.clone_from(&self.text);
        template.marks.clear();
        template.marks.extend((0..self.text.len()).filter(|at| self.text[*at] <= PADDED));
        template.columns.resize_with(self.numbers.len(), Column::default);
        self.index.insert(self.text.clone(), place);
        Some(place)
    }

    /// Whether a body has that template; then its numbers are in `self.numbers`. Far quicker than [`Encoder::split`].
    fn follows(&mut self, place: usize, body: &[u8]) -> bool {
        let Some(Template { text, marks, .. }) = self.templates[..self.count].get(place) else { return false };
        self.numbers.clear();
        let (mut rest, mut literal) = (body, 0);
        for &mark in marks {
            let Some(digits) = rest.strip_prefix(&text[literal..mark]) else { return false };
            let (number, count) = digits::leading(digits, DIGITS_MAX);
            match text[mark] {
                _ if count == 0 => return false,
                PADDED => self.numbers.push(count as i64),
                _ if is_padded(digits, count) => return false,
                _ => {}
            }
            self.numbers.push(number);
            rest = &digits[count..];
            literal = mark + 1;
        }
        rest == &text[literal..]
    }

    /// Splits a body into `self.text` and `self.numbers`. Says no if it has a byte that stands for numbers.
    fn split(&mut self, body: &[u8]) -> bool {
        self.text.clear();
        self.numbers.clear();
        let mut rest = body;
        loop {
            let literal = rest.iter().position(|byte| *byte <= PADDED || byte.is_ascii_digit()).unwrap_or(rest.len());
            let (text, digits) = rest.split_at(literal);
            self.text.extend_from_slice(text);
            let Some(first) = digits.first() else { return true };
            if *first <= PADDED {
                return false;
            }
            let (number, count) = digits::leading(digits, DIGITS_MAX);
            if is_padded(digits, count) {
                self.text.push(PADDED);
                self.numbers.push(count as i64);
            } else {
                self.text.push(NUMBER);
            }
            self.numbers.push(number);
            rest = &digits[count..];
        }
    }

    /// Appends the four parts to `out` and their sizes to `sizes`.
    pub(super) fn finish(&self, out: &mut Vec<u8>, sizes: &mut Vec<usize>) {
        let mut part = |out: &mut Vec<u8>, put: &dyn Fn(&mut Vec<u8>)| {
            let before = out.len();
            put(out);
            sizes.push(out.len() - before);
        };
        part(out, &|out| out.extend_from_slice(&self.refs));
        part(out, &|out| out.extend_from_slice(&self.whole_lengths));
        part(out, &|out| out.extend_from_slice(&self.whole));
        part(out, &|out| {
            for template in &self.templates[..self.count] {
                varint::put(out, template.text.len() as u64);
                out.extend_from_slice(&template.text);
                for column in &template.columns {
                    varint::put(out, column.differences.len() as u64);
                }
            }
        });
        part(out, &|out| {
            let columns = self.templates[..self.count].iter().flat_map(|template| &template.columns);
            columns.for_each(|column| out.extend_from_slice(&column.differences));
        });
    }

    pub(super) fn clear(&mut self) {
        self.index.clear();
        self.recent = Recent::default();
        for column in self.templates[..self.count].iter_mut().flat_map(|template| &mut template.columns) {
            column.before = 0;
            column.differences.clear();
        }
        self.count = 0;
        self.whole_count = 0;
        self.split_count = 0;
        self.refs.clear();
        self.whole.clear();
        self.whole_lengths.clear();
    }
}

/// Whether so many digits have a zero ahead that the number alone would not give back.
fn is_padded(digits: &[u8], count: usize) -> bool {
    count > 1 && digits[0] == b'0'
}

/// Puts bodies together again. Any bytes are safe: it says [`None`] where they are damaged.
pub(super) struct Decoder<'a> {
    refs: &'a [u8],
    whole_lengths: &'a [u8],
    whole: &'a [u8],
    templates: Vec<Pieces<'a>>,
}

/// A template and what is left of its numbers.
struct Pieces<'a> {
    text: &'a [u8],
    columns: Vec<Numbers<'a>>,
}

struct Numbers<'a> {
    before: i64,
    differences: &'a [u8],
}

impl Numbers<'_> {
    fn next(&mut self) -> Option<i64> {
        self.before = self.before.checked_add(varint::take_signed(&mut self.differences)?)?;
        Some(self.before)
    }
}

impl<'a> Decoder<'a> {
    /// Takes the parts that [`Encoder::finish`] made, in their order.
    pub(super) fn new(parts: [&'a [u8]; 5]) -> Option<Self> {
        let [refs, whole_lengths, whole, mut templates, mut columns] = parts;
        let mut pieces = Vec::new();
        while !templates.is_empty() {
            let length = usize::try_from(varint::take(&mut templates)?).ok()?;
            let text = templates.split_off(..length)?;
            let mut numbers = Vec::new();
            for mark in text.iter().filter(|byte| **byte <= PADDED) {
                for _ in 0..=*mark {
                    let length = usize::try_from(varint::take(&mut templates)?).ok()?;
                    numbers.push(Numbers { before: 0, differences: columns.split_off(..length)? });
                }
            }
            pieces.push(Pieces { text, columns: numbers });
        }
        columns.is_empty().then_some(Self { refs, whole_lengths, whole, templates: pieces })
    }

    /// Appends the next body to `out`, unless that would make it longer than `bytes_max`.
    pub(super) fn next(&mut self, out: &mut Vec<u8>, bytes_max: usize) -> Option<()> {
        let place = usize::try_from(varint::take(&mut self.refs)?).ok()?;
        let Some(place) = place.checked_sub(1) else {
            let length = usize::try_from(varint::take(&mut self.whole_lengths)?).ok()?;
            out.extend_from_slice(self.whole.split_off(..length)?);
            return (out.len() <= bytes_max).then_some(());
        };
        let Pieces { text, columns } = self.templates.get_mut(place)?;
        let mut columns = columns.iter_mut();
        let mut rest = *text;
        loop {
            let literal = rest.iter().position(|byte| *byte <= PADDED).unwrap_or(rest.len());
            out.extend_from_slice(rest.split_off(..literal)?);
            if out.len() > bytes_max {
                return None;
            }
            let Some(mark) = rest.split_off_first() else { return Some(()) };
            let count = if *mark == PADDED { columns.next()?.next()? } else { 0 };
            let count = usize::try_from(count).ok().filter(|count| *count <= DIGITS_MAX)?;
            put_digits(out, u64::try_from(columns.next()?.next()?).ok()?, count);
        }
    }

    /// Whether nothing is left.
    pub(super) fn is_finished(&self) -> bool {
        let mut columns = self.templates.iter().flat_map(|template| &template.columns);
        let rest = [self.refs, self.whole_lengths, self.whole];
        rest.iter().all(|rest| rest.is_empty()) && columns.all(|column| column.differences.is_empty())
    }
}

/// Appends a number in decimal, with zeros ahead of it up to `count` digits.
fn put_digits(out: &mut Vec<u8>, mut number: u64, count: usize) {
    let mut digits = [b'0'; 20];
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    start = start.min(digits.len() - count);
    out.extend_from_slice(&digits[start..]);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parts(encoder: &Encoder) -> (Vec<u8>, Vec<usize>) {
        let (mut out, mut sizes) = (Vec::new(), Vec::new());
        encoder.finish(&mut out, &mut sizes);
        (out, sizes)
    }

    fn decoded(encoder: &Encoder, bodies: usize) -> Option<Vec<Vec<u8>>> {
        let (out, sizes) = parts(encoder);
        let mut rest = out.as_slice();
        let mut decoder = Decoder::new(
            sizes
                .try_into()
                .map(|sizes: [usize; 5]| {
                    sizes.map(|size| {
                        let (part, after) = rest.split_at(size);
                        rest = after;
                        part
                    })
                })
                .unwrap(),
        )?;
        let mut texts = Vec::new();
        for _ in 0..bodies {
            let mut text = Vec::new();
            decoder.next(&mut text, usize::MAX)?;
            texts.push(text);
        }
        decoder.is_finished().then_some(texts)
    }

    proptest! {
        #[test]
        fn any_bodies_come_back(
            bodies in proptest::collection::vec(
                prop_oneof![
                    "[0-9]{0,45}",
                    "\\{\"notice\":\"OrderOpened\",\"id\":[0-9]{0,3},\"quantity\":-?[0-9]{0,3}\\}",
                    "\\{\"id\":(0|[1-9][0-9]{0,20}),\"price\":\"[0-9]{1,4}\\.[0-9]{2}\"\\}",
                    "[\\x00-\\x02a-c0-1]{0,12}",
                    ".{0,20}",
                ],
                0..40,
            ),
        ) {
            let bodies: Vec<Vec<u8>> = bodies.into_iter().map(String::into_bytes).collect();
            let mut encoder = Encoder::default();
            for _ in 0..2 {
                bodies.iter().for_each(|body| encoder.push(body));
                prop_assert_eq!(decoded(&encoder, bodies.len()), Some(bodies.clone()));
                encoder.clear();
            }
        }
    }

    #[test]
    fn messages_of_a_kind_share_a_template() {
        let mut encoder = Encoder::default();
        for id in 0..1_000 {
            encoder.push(format!(r#"{{"notice":"OrderOpened","id":{id},"price":"0.{id:04}"}}"#).as_bytes());
        }
        assert_eq!((encoder.count, encoder.split_count, encoder.whole_count), (1, 1_000, 0));
        let (out, _) = parts(&encoder);
        assert!(out.len() < 1_000 * 6, "{} bytes", out.len());
    }

    #[test]
    fn texts_that_all_differ_are_soon_left_whole() {
        let mut encoder = Encoder::default();
        let text = |n: usize| "ab".repeat(n).split_off(n);
        let bodies: Vec<_> = (0..2 * TRIAL + TEMPLATES_MAX).map(|n| text(n % 5_000).into_bytes()).collect();
        bodies.iter().for_each(|body| encoder.push(body));
        assert_eq!(encoder.count, TEMPLATES_MAX);
        let before = encoder.text.clone();
        encoder.push(b"never looked at");
        assert_eq!(encoder.text, before);
        assert_eq!(decoded(&encoder, bodies.len() + 1).unwrap()[..bodies.len()], bodies);
    }

    #[test]
    fn a_body_longer_than_said_is_refused() {
        let mut encoder = Encoder::default();
        encoder.push(b"12345");
        encoder.push(b"\x00whole");
        for (bytes_max, bodies) in [(4, 0), (5, 1), (10, 1), (11, 2)] {
            let (out, sizes) = parts(&encoder);
            let mut rest = out.as_slice();
            let parts = <[usize; 5]>::try_from(sizes).unwrap().map(|size| rest.split_off(..size).unwrap());
            let mut decoder = Decoder::new(parts).unwrap();
            let mut text = Vec::new();
            let found = std::iter::from_fn(|| decoder.next(&mut text, bytes_max)).count();
            assert_eq!(found, bodies, "{bytes_max}");
        }
    }
}
