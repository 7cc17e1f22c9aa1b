//! Which part of a list does a page show? Lists that are short by nature are read whole, and shown so many rows at a time that
//! the page stays light on a phone.

use crate::wire::paths;
use serde::Deserialize;

/// Rows of a page.
const ROWS: usize = 25;

/// What the address of such a list asks for.
#[derive(Debug, Default, Deserialize)]
pub struct LeafQuery {
    #[serde(default)]
    page: String,
}

/// One page of a list among others.
#[derive(Debug, Clone)]
pub struct Leaf {
    /// Its number, from 1 on.
    pub page: usize,
    /// How many there are.
    pub pages: usize,
    /// The address of the one before.
    pub previous: Option<String>,
    /// The address of the one after.
    pub next: Option<String>,
}

impl Leaf {
    /// This page of so many; each has an address.
    pub fn of(page: usize, pages: usize, address: impl Fn(usize) -> String) -> Self {
        let (previous, next) = ((page > 1).then(|| address(page - 1)), (page < pages).then(|| address(page + 1)));
        Self { page, pages, previous, next }
    }

    /// Leaves of `rows` those of the page that is asked for; one that is too high is the last. The list is at `path`.
    pub fn turn<T>(rows: &mut Vec<T>, query: &LeafQuery, path: &str) -> Self {
        let pages = rows.len().div_ceil(ROWS).max(1);
        let page = query.page.parse().unwrap_or(1).clamp(1, pages);
        rows.truncate(page * ROWS);
        rows.drain(..(page - 1) * ROWS);
        Self::of(page, pages, |page| paths::leaf(path, page))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_is_on_one_page_and_a_strange_number_is_a_page_that_there_is() {
        let turn = |count: usize, page: &str| {
            let mut rows: Vec<_> = (0..count).collect();
            let leaf = Leaf::turn(&mut rows, &LeafQuery { page: page.to_owned() }, "/list");
            (rows, leaf)
        };
        let (rows, leaf) = turn(60, "");
        assert_eq!((rows, leaf.page, leaf.pages), ((0..25).collect(), 1, 3));
        assert_eq!((leaf.previous, leaf.next.as_deref()), (None, Some("/list?page=2")));
        for last in ["3", "4", "18446744073709551615"] {
            let (rows, leaf) = turn(60, last);
            assert_eq!((rows, leaf.page), ((50..60).collect(), 3), "{last}");
            assert_eq!((leaf.previous.as_deref(), leaf.next), (Some("/list?page=2"), None));
        }
        for strange in ["0", "-1", "x", "99999999999999999999"] {
            assert_eq!(turn(60, strange).1.page, 1, "{strange}");
        }
        let (rows, leaf) = turn(0, "2");
        assert!(rows.is_empty() && (leaf.page, leaf.pages) == (1, 1));
    }
}
