//! What is tried next? Blind mutations of known inputs, from a seed, so that a run can be repeated.

/// Longest input that is made, save by [`Mutator::blow_up`].
const MAX_INPUT: usize = 4096;
/// Longest input of all: beyond the largest limit of the parsers.
const MAX_BLOWN_UP: usize = 80 * 1024;
/// What parsers trip over.
const AWKWARD: [&[u8]; 20] = [
    b"\0",
    b"\xff",
    b"\xc3\x28",
    b"\xe2\x80\xae",
    b"%",
    b"%00",
    b"%2e%2e",
    b"%C0%AF",
    b"..",
    b"//",
    b"\\",
    b"@",
    b"#",
    b"?",
    b"&",
    b"\"",
    b"null",
    b"[]",
    b"-1",
    b"1e999",
];

/// SplitMix64: repeatable, and good enough for this.
pub struct Random(u64);

impl Random {
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Less than `end`, which is not zero.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

/// Makes inputs from inputs.
pub struct Mutator {
    random: Random,
    /// Words of the seeds: names of parameters, values, punctuation.
    words: Vec<Vec<u8>>,
}

impl Mutator {
    pub fn new(seed: u64, inputs: &[Vec<u8>]) -> Self {
        let mut words: Vec<Vec<u8>> = AWKWARD.iter().map(|word| word.to_vec()).collect();
        for input in inputs {
            words.extend(
                input
                    .split(|byte| b"&=,:;{}[]\"/?. \n".contains(byte))
                    .filter(|word| !word.is_empty())
                    .map(<[u8]>::to_vec),
            );
        }
        words.sort_unstable();
        words.dedup();
        Self { random: Random::new(seed), words }
    }

    /// The next input: one of `corpus`, changed in one to four places.
    pub fn next(&mut self, corpus: &[Vec<u8>]) -> Vec<u8> {
        let mut input = self.random.pick(corpus).clone();
        for _ in 0..=self.random.below(4) {
            self.change(&mut input, corpus);
        }
        input
    }

    fn change(&mut self, input: &mut Vec<u8>, corpus: &[Vec<u8>]) {
        let random = &mut self.random;
        let (from, to) = range(random, input.len());
        match random.below(12) {
            0 | 1 if !input.is_empty() => {
                let place = random.below(input.len());
                input[place] ^= 1 << random.below(8);
            }
            2 | 3 if !input.is_empty() => {
                let place = random.below(input.len());
                input[place] = random.next() as u8;
            }
            4 => {
                input.drain(from..to);
            }
            5 | 6 => {
                let word = random.pick(&self.words).clone();
                input.splice(from..from, word);
            }
            7 | 8 => {
                let word = random.pick(&self.words).clone();
                input.splice(from..to, word);
            }
            9 => {
                let copy = input[from..to].to_vec();
                let place = random.below(input.len() + 1);
                input.splice(place..place, copy);
            }
            10 => {
                let other = random.pick(corpus);
                let (start, end) = range(random, other.len());
                input.splice(from..to, other[start..end].iter().copied());
            }
            _ if random.below(200) == 0 => return self.blow_up(input),
            _ => input.insert(from, random.next() as u8),
        }
        input.truncate(MAX_INPUT);
    }

    /// Repeats a part until a limit must have been passed.
    fn blow_up(&mut self, input: &mut Vec<u8>) {
        let (from, to) = range(&mut self.random, input.len());
        if from < to {
            let part = input[from..to].to_vec();
            let times = self.random.below(MAX_BLOWN_UP / part.len()).min(20_000);
            input.splice(to..to, part.repeat(times));
        }
    }
}

/// A part of something this long: mostly a short one.
fn range(random: &mut Random, length: usize) -> (usize, usize) {
    let from = random.below(length + 1);
    let most = if random.below(4) == 0 { length - from } else { (length - from).min(16) };
    (from, from + random.below(most + 1))
}
