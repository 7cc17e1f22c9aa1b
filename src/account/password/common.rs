//! Is this password among the first that a stranger would try?

use zeroize::Zeroizing;

/// What guessing tries first: a word of the list, once or more, with digits and signs around it or in place of letters;
/// few digits and no letters; a short piece again and again; neighbours on a keyboard or in the alphabet.
pub(super) fn is_common(lower: &str) -> bool {
    let plain = Zeroizing::new(lower.chars().map(as_letter).collect::<String>());
    let around = |c: char| !c.is_alphabetic();
    let [typed, plain_core] = [lower, &**plain].map(|text| text.trim_matches(around));
    let behind_signs = lower.trim_matches(|c: char| c.is_ascii_digit() || c.is_ascii_punctuation());
    let as_letters = Zeroizing::new(behind_signs.chars().map(as_letter).collect::<String>());
    let listed = |text: &str| COMMON.lines().any(|common| common == text || is_repeated(text, common));
    let few_digits = lower.chars().count() < 12 && lower.chars().all(|c| !c.is_alphabetic());
    few_digits
        || is_periodic(lower)
        || is_run(lower)
        || is_run(typed)
        || [lower, typed, plain_core, &**as_letters].into_iter().any(listed)
}

/// The letter that a digit or sign often stands for.
const fn as_letter(c: char) -> char {
    match c {
        '0' => 'o',
        '1' | '!' => 'i',
        '3' => 'e',
        '4' | '@' => 'a',
        '5' | '$' => 's',
        '7' => 't',
        other => other,
    }
}

fn is_repeated(text: &str, word: &str) -> bool {
    text.len() > word.len() && text.len().is_multiple_of(word.len()) && text.replace(word, "").is_empty()
}

/// A piece of at most four characters, again and again.
fn is_periodic(text: &str) -> bool {
    let bytes = text.as_bytes();
    (1..=4).any(|period| bytes.len() > period && bytes.iter().zip(&bytes[period..]).all(|(a, b)| a == b))
}

/// Neighbours on a keyboard's row, or in the alphabet, one after the other, in either direction.
fn is_run(text: &str) -> bool {
    const ROWS: [&str; 7] =
        ["abcdefghijklmnopqrstuvwxyz", "01234567890", "qwertyuiop", "qwertzuiop", "azertyuiop", "asdfghjkl", "zxcvbnm"];
    let backwards = Zeroizing::new(text.chars().rev().collect::<String>());
    text.len() >= 6 && ROWS.iter().any(|row| row.contains(text) || row.contains(&**backwards))
}

/// The words that guessing begins with, one a line in small letters, sorted. Put together for Keyward from what is generally
/// known to be chosen: words for “password”, keyboard patterns, names, teams, brands, heroes, months. No list of anybody's was
/// copied. Each stands for thousands of passwords: see [`is_common`].
const COMMON: &str = include_str!("common_passwords.txt");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted_plain_and_small() {
        let words: Vec<_> = COMMON.lines().collect();
        assert!(words.is_sorted() && words.len() > 1_500 && COMMON.len() < 24 * 1024, "{} words", words.len());
        assert!(words.iter().all(|word| word.len() >= 3 && *word == word.to_lowercase()));
    }
}
