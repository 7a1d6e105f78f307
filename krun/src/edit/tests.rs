use proptest::prelude::*;

use super::*;

fn additions() -> Additions {
    Additions {
        mounts: vec![Mount::read_only("/host/km".into(), KM)],
        devices: vec![Device {
            path: "/dev/kvm",
            major: 10,
            minor: 232,
        }],
        options: given(&[("nsm", "emulated")]),
    }
}

fn given(values: &[(&str, &str)]) -> Options {
    let mut options = Options::default();
    for (name, value) in values {
        options.set(name, Some(value)).unwrap();
    }
    options
}

fn edited(config: &Value) -> Value {
    let mut config = config.clone();
    container(&mut config, &additions(), Path::new("config.json")).unwrap();
    config
}

#[test]
fn a_small_one() {
    let config = edited(&json!({ "process": { "args": ["sh", "-c", "true"], "cwd": "/" } }));
    let expected = json!({
        "process": {
            "args": [KM, "--nsm=emulated", "--path-only", "--", "sh", "-c", "true"],
            "cwd": "/",
        },
        "mounts": [{
            "destination": KM, "type": "bind", "source": "/host/km",
            "options": ["bind", "ro", "nosuid", "nodev"],
        }],
        "linux": {
            "devices": [{
                "path": "/dev/kvm", "type": "c", "major": 10, "minor": 232,
                "fileMode": 0o666, "uid": 0, "gid": 0,
            }],
            "resources": { "devices": [{
                "allow": true, "type": "c", "major": 10, "minor": 232, "access": "rwm",
            }] },
        },
    });
    assert_eq!(config, expected);
    assert!(is_under_km(&config));
    assert!(!is_under_km(&json!({})));
}

#[test]
fn ours_come_last_and_replace_others() {
    let config = edited(&json!({
        "mounts": [{ "destination": KM, "source": "/evil" }, { "destination": "/opt" }],
        "linux": {
            "devices": [{ "path": "/dev/kvm", "fileMode": 0o600 }, { "path": "/dev/fuse" }],
            "resources": { "devices": [{ "allow": false, "access": "rwm" }] },
        },
    }));
    assert_eq!(config["mounts"][0]["destination"], "/opt");
    assert_eq!(config["mounts"][1]["source"], "/host/km");
    assert_eq!(config["linux"]["devices"][1]["fileMode"], 0o666);
    let rules = &config["linux"]["resources"]["devices"];
    assert_eq!(
        (&rules[0]["allow"], &rules[1]["allow"]),
        (&json!(false), &json!(true))
    );
}

#[test]
fn an_image_made_for_km_has_the_hosts() {
    let words = |words: &str, values: &[(&str, &str)]| {
        let mut process = json!({ "args": words.split_whitespace().collect::<Vec<_>>() });
        super::process(&mut process, &given(values), Path::new("x")).unwrap();
        let args = process["args"].as_array().unwrap();
        let args: Vec<_> = args.iter().map(|word| word.as_str().unwrap()).collect();
        args.join(" ")
    };
    let none = [];
    let some = [("nsm", "off"), ("strace", "false")];
    for (image, values, wanted) in [
        ("/opt/kontain/bin/km /bin/lua", &none[..], "/.km /bin/lua"),
        ("/.km /bin/lua", &none, "/.km /bin/lua"),
        ("/opt/kontain/bin/km lua -e", &some, "/.km --nsm=off lua -e"),
        (
            "/opt/kontain/bin/km --stats --nsm emulated --strace --memory=1G lua",
            &some,
            "/.km --nsm=off --stats --memory=1G lua",
        ),
        (
            "/opt/kontain/bin/km -- lua --nsm x",
            &some,
            "/.km --nsm=off -- lua --nsm x",
        ),
        ("/opt/kontain/bin/km nsm init", &some, "/.km nsm init"),
        ("km x", &none, "/.km --path-only -- km x"),
        ("", &some, ""),
    ] {
        assert_eq!(words(image, values), wanted, "{image}");
    }
}

#[test]
fn what_only_looks_edited_is_edited() {
    let config = edited(&json!({
        "process": { "args": ["/.km", "--nsm=host", "x"] },
        "mounts": [{ "destination": "/.km", "type": "bind", "source": "/evil", "options": [] }],
    }));
    assert_eq!(
        config["process"]["args"],
        json!(["/.km", "--nsm=emulated", "x"])
    );
    assert_eq!(config["mounts"].as_array().unwrap().len(), 1);
    assert_eq!(config["mounts"][0]["source"], "/host/km");
}

#[test]
fn a_mount_of_km_alone_is_no_edit() {
    let mount = edited(&json!({}))["mounts"][0].clone();
    let config = edited(&json!({ "process": { "args": ["sh"] }, "mounts": [mount] }));
    assert_eq!(config["process"]["args"][0], KM);
    assert_eq!(config["mounts"].as_array().unwrap().len(), 1);
}

#[test]
fn what_is_malformed_is_named() {
    for (config, said) in [
        (json!([]), "x: it is not an object"),
        (json!({ "process": 1 }), "x: process is not an object"),
        (
            json!({ "process": { "args": "sh" } }),
            "x: process.args is not an array of strings",
        ),
        (
            json!({ "process": { "args": ["sh", 1] } }),
            "x: process.args is not an array of strings",
        ),
        (json!({ "mounts": {} }), "x: mounts is not an array"),
        (json!({ "linux": [] }), "x: linux is not an object"),
        (
            json!({ "linux": { "devices": 1 } }),
            "x: linux.devices is not an array",
        ),
        (
            json!({ "linux": { "resources": 1 } }),
            "x: linux.resources is not an object",
        ),
    ] {
        let error = container(&mut config.clone(), &additions(), Path::new("x")).unwrap_err();
        assert_eq!(error.to_string(), said);
    }
}

/// Any JSON, not deep.
fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-z/]{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::vec(("[a-z]{1,6}", inner), 0..3)
                .prop_map(|all| Value::Object(all.into_iter().collect())),
        ]
    })
}

/// Objects with random properties beside those that are edited.
fn others() -> impl Strategy<Value = Map<String, Value>> {
    prop::collection::vec(("x[a-z]{1,6}", anything()), 0..4)
        .prop_map(|all| all.into_iter().collect())
}

prop_compose! {
    fn configuration()(
        mut top in others(), mut process in others(), mut linux in others(), mut resources in others(),
        args in prop::option::of(prop::collection::vec(prop_oneof![Just(KM.to_owned()), ".{0,6}"], 0..4)),
        mounts in prop::option::of(prop::collection::vec(others().prop_map(Value::Object), 0..3)),
        devices in prop::option::of(prop::collection::vec(others().prop_map(Value::Object), 0..3)),
        rules in prop::option::of(prop::collection::vec(others().prop_map(Value::Object), 0..3)),
    ) -> Value {
        if let Some(args) = args { process.insert("args".into(), args.into()); }
        if let Some(mounts) = mounts { top.insert("mounts".into(), mounts.into()); }
        if let Some(devices) = devices { linux.insert("devices".into(), devices.into()); }
        if let Some(rules) = rules { resources.insert("devices".into(), rules.into()); }
        linux.insert("resources".into(), resources.into());
        top.insert("process".into(), process.into());
        top.insert("linux".into(), linux.into());
        Value::Object(top)
    }
}

/// Without what krun has put in: the properties in their order, and the start
/// of each array.
fn rest(config: &Value, like: &Value) -> Value {
    match (config, like) {
        (Value::Object(all), Value::Object(old)) => {
            let kept = all.iter().filter_map(|(key, value)| {
                let old = old.get(key)?;
                Some((
                    key.clone(),
                    if key == "args" {
                        old.clone()
                    } else {
                        rest(value, old)
                    },
                ))
            });
            Value::Object(kept.collect())
        }
        (Value::Array(all), Value::Array(old)) => all.iter().take(old.len()).cloned().collect(),
        _ => config.clone(),
    }
}

proptest! {
    #[test]
    fn all_else_stays_and_twice_is_once(config in configuration()) {
        let once = edited(&config);
        prop_assert_eq!(edited(&once).to_string(), once.to_string());
        prop_assert_eq!(rest(&once, &config).to_string(), config.to_string());
        let args = |config: &Value| {
            let words = config["process"]["args"].as_array().cloned().unwrap_or_default();
            words.iter().map(|word| word.as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>()
        };
        let (old, new) = (args(&config), args(&once));
        let own = old.first().is_some_and(|word| word == KM);
        let kept = if own { &old[1..] } else { &old };
        prop_assert!(new.ends_with(kept));
        prop_assert_eq!(new.is_empty(), old.is_empty());
        prop_assert!(new.first().is_none_or(|word| word == KM));
    }
}
