//! The command line.

use std::io;
use std::time::Duration;

use crate::suite::{self, Suite};

#[derive(Debug, PartialEq, Eq)]
pub struct Share {
    /// From 0.
    number: usize,
    of: usize,
}

pub struct Options {
    /// What is to be done; the rest is what to do it with.
    pub task: Task,
    /// Without a name, all.
    pub suites: Vec<&'static dyn Suite>,
    /// Only these items.
    pub items: Vec<String>,
    pub share: Share,
    /// Only items that were not run yet.
    pub rest: bool,
    /// No item is begun later.
    pub time: Option<Duration>,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Task {
    Run,
    /// Leave km out and record nothing: to see what a suite does on this machine.
    RunNatively,
    /// Only write the page.
    Page,
    /// Tell the Debian packages that are needed.
    Packages,
    /// Tell the items.
    List,
}

impl Options {
    pub fn new(mut args: impl Iterator<Item = String>) -> io::Result<Options> {
        let mut options = Options {
            task: Task::Run,
            suites: suite::ALL.to_vec(),
            items: Vec::new(),
            share: Share { number: 0, of: 1 },
            rest: false,
            time: None,
        };
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or_else(|| wrong(&arg));
            match arg.as_str() {
                "--native" => options.task = Task::RunNatively,
                "--page" => options.task = Task::Page,
                "--packages" => options.task = Task::Packages,
                "--list" => options.task = Task::List,
                "--rest" => options.rest = true,
                "--suite" => {
                    let name = value()?;
                    let suite = suite::find(&name).ok_or_else(|| wrong(&name))?;
                    options.suites = vec![suite];
                }
                "--share" => {
                    let text = value()?;
                    options.share = Share::parse(&text).ok_or_else(|| wrong(&text))?;
                }
                "--minutes" => {
                    let text = value()?;
                    let minutes: u64 = text.parse().map_err(|_| wrong(&text))?;
                    options.time = Some(Duration::from_secs(60 * minutes));
                }
                option if option.starts_with('-') => return Err(wrong(option)),
                item => options.items.push(item.into()),
            }
        }
        if options.suites.len() > 1 && !options.items.is_empty() {
            return Err(io::Error::other(
                "single items are of one suite: --suite NAME",
            ));
        }
        Ok(options)
    }
}

impl Share {
    /// `2/8`: the second of eight shares.
    fn parse(text: &str) -> Option<Share> {
        let (number, of) = text.split_once('/')?;
        let (number, of): (usize, usize) = (number.parse().ok()?, of.parse().ok()?);
        let is_one = (1..=of).contains(&number);
        is_one.then(|| Share {
            number: number - 1,
            of,
        })
    }

    /// Of all items every one is in one share, long ones in all of them.
    pub fn of(&self, items: &[String]) -> Vec<String> {
        let mine = items.iter().skip(self.number).step_by(self.of);
        mine.cloned().collect()
    }
}

fn wrong(text: &str) -> io::Error {
    io::Error::other(format!("not understood: {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shares_are_all() {
        let items: Vec<String> = (0..11).map(|number| number.to_string()).collect();
        let mut all: Vec<String> = ["1/3", "2/3", "3/3"]
            .iter()
            .flat_map(|text| Share::parse(text).expect("a share").of(&items))
            .collect();
        all.sort_by_key(|item| item.parse::<usize>().ok());
        assert_eq!(all, items);
        for text in ["0/3", "4/3", "1", "x/2", "1/0"] {
            assert_eq!(Share::parse(text), None, "{text}");
        }
    }

    #[test]
    fn items_need_their_suite() {
        let options = |text: &str| Options::new(text.split(' ').map(String::from));
        assert!(options("test_os").is_err());
        assert!(options("--suite none test_os").is_err());
        let options = options("--suite python --rest test_os").expect("options");
        assert_eq!(
            (options.items, options.rest),
            (vec!["test_os".into()], true)
        );
    }
}
