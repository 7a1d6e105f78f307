//! What km is told: by annotations of the container, `app.kontain.NAME`, or
//! for all containers by options of krun's own, `--NAME`. An annotation has
//! precedence. Both have the name that the option has with km.

use serde_json::Value;

use crate::error::{Error, Result};

const PREFIX: &str = "app.kontain.";
/// Whether the container runs under km; no option of km's.
const ENABLE: &str = "enable";
const SWITCH: &str = "true or false";

/// What an option can be.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Switch,
    Choice(&'static [&'static str]),
    Size,
    Text,
}

/// In the order in which km is given them.
const OPTIONS: [(&str, Kind); 11] = [
    ("memory", Kind::Size),
    ("nsm", Kind::Choice(&["off", "emulated", "host", "auto"])),
    ("nsm-ca", Kind::Text),
    ("nsm-role", Kind::Text),
    ("nsm-premeasure", Kind::Choice(&["on", "off"])),
    ("nsm-allow-lock-ranges", Kind::Switch),
    ("strace", Kind::Switch),
    ("stats", Kind::Switch),
    ("follow", Kind::Switch),
    ("output", Kind::Text),
    ("verbose", Kind::Text),
];

impl Kind {
    fn wanted(self) -> String {
        match self {
            Kind::Switch => SWITCH.into(),
            Kind::Choice(all) => format!("one of {}", all.join(", ")),
            Kind::Size => "a size in bytes, or with K, M, G, T".into(),
            Kind::Text => "a text that is not empty".into(),
        }
    }

    fn allows(self, value: &str) -> bool {
        match self {
            Kind::Switch => matches!(value, "true" | "false"),
            Kind::Choice(all) => all.contains(&value),
            Kind::Size => is_size(value),
            Kind::Text => !value.is_empty(),
        }
    }
}

/// As km reads it.
fn is_size(text: &str) -> bool {
    let digits = text.trim_end_matches(['B', 'b', 'i']);
    let suffixes = ['k', 'K', 'm', 'M', 'g', 'G', 't', 'T'];
    let digits = digits.strip_suffix(suffixes).unwrap_or(digits);
    digits.bytes().all(|byte| byte.is_ascii_digit())
        && digits.parse::<u64>().is_ok_and(|number| number > 0)
}

/// The values that were given, in the order of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    values: [Option<String>; OPTIONS.len()],
    /// False where the container is to run natively.
    pub enabled: bool,
    /// Whether annotations may also take away what the host's administrator
    /// relies on.
    pub all_annotations: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            values: Default::default(),
            enabled: true,
            all_annotations: false,
        }
    }
}

/// Whether an annotation takes away some of what stands between a container and
/// the host: it may be the image's (podman), or that of who may make pods.
fn is_weighty(name: &str, value: &str) -> bool {
    match name {
        ENABLE => value == "false",
        "nsm" => matches!(value, "host" | "auto"),
        "nsm-allow-lock-ranges" => value == "true",
        "nsm-premeasure" => value == "off",
        _ => false,
    }
}

/// Whether an option of krun's command line is one of these; if so, whether it
/// must have a value.
pub fn is_known(name: &str) -> Option<bool> {
    let (_, kind) = OPTIONS.iter().find(|(known, _)| *known == name)?;
    Some(!matches!(kind, Kind::Switch))
}

impl Options {
    /// Takes an option of krun's command line.
    ///
    /// # Errors
    ///
    /// A value that it cannot have.
    pub fn set(&mut self, name: &str, value: Option<&str>) -> Result<()> {
        let value = value.unwrap_or("true");
        self.put(name, value, || format!("--{name}"))?;
        Ok(())
    }

    /// With the annotations of a container.
    ///
    /// # Errors
    ///
    /// One with krun's prefix that is not known, or its value.
    pub fn with_annotations(mut self, annotations: Option<&Value>) -> Result<Options> {
        let all = annotations.and_then(Value::as_object);
        for (key, value) in all.into_iter().flatten() {
            let Some(name) = key.strip_prefix(PREFIX) else {
                continue;
            };
            let value = value.as_str().unwrap_or_default();
            if is_weighty(name, value) && !self.all_annotations {
                return Err(Error::NotAllowed(format!("{key}={value}")));
            }
            if name == ENABLE {
                if !Kind::Switch.allows(value) {
                    return Err(bad(key.clone(), value, Kind::Switch));
                }
                self.enabled = value == "true";
            } else if !self.put(name, value, || key.clone())? {
                return Err(Error::UnknownAnnotation(key.clone()));
            }
        }
        Ok(self)
    }

    /// Says whether there is such an option.
    fn put(&mut self, name: &str, value: &str, said: impl Fn() -> String) -> Result<bool> {
        let known = OPTIONS.iter().zip(&mut self.values);
        let Some(((_, kind), place)) = known.into_iter().find(|((known, _), _)| *known == name)
        else {
            return Ok(false);
        };
        if !kind.allows(value) {
            return Err(bad(said(), value, *kind));
        }
        *place = Some(value.to_owned());
        Ok(true)
    }

    /// Whether this one was given, whatever its value.
    pub fn has(&self, name: &str) -> bool {
        let mut given = OPTIONS.iter().zip(&self.values);
        given.any(|((known, _), value)| *known == name && value.is_some())
    }

    /// What km's command line has of them.
    pub fn arguments(&self) -> Vec<String> {
        let given = OPTIONS.iter().zip(&self.values);
        given
            .filter_map(|((name, kind), value)| match (kind, value.as_deref()?) {
                (Kind::Switch, "true") => Some(format!("--{name}")),
                (Kind::Switch, _) => None,
                (_, value) => Some(format!("--{name}={value}")),
            })
            .collect()
    }

    /// The mode of the security module, if one is given.
    pub fn nsm(&self) -> Option<&str> {
        let mut given = OPTIONS.iter().zip(&self.values);
        let (_, value) = given.find(|((name, _), _)| *name == "nsm")?;
        value.as_deref()
    }
}

fn bad(option: String, value: &str, kind: Kind) -> Error {
    Error::BadValue {
        option,
        value: value.into(),
        wanted: kind.wanted(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn annotations_become_options_and_win() {
        let mut options = Options::default();
        options.set("nsm", Some("host")).unwrap();
        options.set("strace", None).unwrap();
        options.set("stats", None).unwrap();
        let annotations = json!({
            "app.kontain.nsm": "emulated", "app.kontain.memory": "512M",
            "app.kontain.strace": "false", "org.example": "1",
        });
        let options = options.with_annotations(Some(&annotations)).unwrap();
        assert_eq!(
            options.arguments(),
            ["--memory=512M", "--nsm=emulated", "--stats"]
        );
        assert!(options.enabled);
        assert_eq!(options.nsm(), Some("emulated"));
    }

    #[test]
    fn km_can_be_off() {
        let annotations = json!({ "app.kontain.enable": "false" });
        let trusting = Options {
            all_annotations: true,
            ..Options::default()
        };
        let options = trusting.with_annotations(Some(&annotations));
        assert!(!options.unwrap().enabled);
    }

    #[test]
    fn what_takes_away_is_the_administrators() {
        for (name, value, allowed) in [
            ("enable", "false", false),
            ("enable", "true", true),
            ("nsm", "host", false),
            ("nsm", "auto", false),
            ("nsm", "emulated", true),
            ("nsm-allow-lock-ranges", "true", false),
            ("nsm-premeasure", "off", false),
            ("memory", "1G", true),
        ] {
            let annotations = json!({ format!("app.kontain.{name}"): value });
            for all_annotations in [false, true] {
                let options = Options {
                    all_annotations,
                    ..Options::default()
                };
                let options = options.with_annotations(Some(&annotations));
                assert_eq!(
                    options.is_ok(),
                    allowed || all_annotations,
                    "{name}={value}"
                );
            }
        }
    }

    #[test]
    fn what_is_not_known_is_refused_by_name() {
        for (key, value, said) in [
            ("app.kontain.colour", "red", "\"app.kontain.colour\""),
            (
                "app.kontain.nsm",
                "yes",
                "app.kontain.nsm=\"yes\": it is one of off,",
            ),
            ("app.kontain.strace", "1", "app.kontain.strace=\"1\""),
            ("app.kontain.memory", "0", "app.kontain.memory=\"0\""),
            ("app.kontain.memory", "+5", "app.kontain.memory"),
            ("app.kontain.enable", "no", "app.kontain.enable=\"no\""),
            ("app.kontain.output", "", "app.kontain.output"),
        ] {
            let annotations = json!({ key: value });
            let error = Options::default().with_annotations(Some(&annotations));
            let error = error.unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
    }

    #[test]
    fn every_one_is_documented() {
        let page = include_str!("../../docs/containers.md");
        for (name, _) in OPTIONS {
            assert!(page.contains(&format!("`{PREFIX}{name}`")), "{name}");
        }
        assert!(page.contains(&format!("`{PREFIX}{ENABLE}`")));
    }
}
