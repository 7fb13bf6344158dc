use crate::client::{Engine, Scratch, is_mounted};
use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::symlink;

fn ask(scratch: &Scratch, lower: &[&str], sub_path: &str) -> Value {
    let lower: Vec<String> = lower.iter().map(|layer| scratch.at(layer)).collect();
    json!({ "target": scratch.at("c/images/0"), "lower": lower, "label": "", "subPath": sub_path })
}

#[test]
fn an_image_is_mounted_read_only_with_its_layers_stacked() {
    let scratch = Scratch::new("image");
    scratch.file("low/gone", "low");
    scratch.file("low/models/small", "low");
    scratch.file("top/models/large", "top");
    mknodat(CWD, scratch.at("top/gone"), FileType::CharacterDevice, Mode::empty(), makedev(0, 0)).unwrap();
    let mut engine = Engine::start();
    let target = scratch.at("c/images/0");
    assert_eq!(engine.call("mountImage", ask(&scratch, &["top", "low"], "")).unwrap()["path"], json!(target));
    assert!(!scratch.0.join("c/images/0/gone").exists());
    assert_eq!(fs::read_to_string(format!("{target}/models/small")).unwrap(), "low");
    assert_eq!(fs::write(format!("{target}/new"), "").unwrap_err().raw_os_error(), Some(30));
    assert_eq!(engine.call("mountImage", ask(&scratch, &["top"], "")).unwrap_err().0, "exists");

    let gone = json!({ "unmount": [target], "remove": [scratch.at("c")] });
    engine.call("removeTrees", gone).unwrap();
    assert!(!scratch.0.join("c").exists());
}

#[test]
fn an_image_of_one_layer_hides_what_that_layer_hides() {
    let scratch = Scratch::new("onelayer");
    scratch.file("only/kept", "x");
    mknodat(CWD, scratch.at("only/gone"), FileType::CharacterDevice, Mode::empty(), makedev(0, 0)).unwrap();
    Engine::start().call("mountImage", ask(&scratch, &["only"], "")).unwrap();
    let seen: Vec<_> =
        fs::read_dir(scratch.at("c/images/0")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(seen, ["kept"]);
}

#[test]
fn a_sub_path_is_found_inside_the_image_whatever_its_links_say() {
    let scratch = Scratch::new("subpath");
    scratch.file("layer/data/file", "x");
    symlink("/data", scratch.at("layer/absolute")).unwrap();
    symlink("../../../../../../../../data/file", scratch.at("layer/up")).unwrap();
    let mut engine = Engine::start();
    for (sub_path, real) in
        [("data", "data"), ("absolute", "data"), ("absolute/file", "data/file"), ("up", "data/file")]
    {
        let path = engine.call("mountImage", ask(&scratch, &["layer"], sub_path)).unwrap()["path"].clone();
        assert_eq!(path, json!(scratch.at(&format!("c/images/0/{real}"))), "{sub_path}");
        engine.call("removeTrees", json!({ "unmount": [scratch.at("c/images/0")], "remove": [] })).unwrap();
    }
}

#[test]
fn a_sub_path_that_is_not_there_or_no_file_fails_and_leaves_nothing() {
    let scratch = Scratch::new("nosubpath");
    scratch.dir("layer");
    symlink("loop", scratch.at("layer/loop")).unwrap();
    mknodat(CWD, scratch.at("layer/fifo"), FileType::Fifo, Mode::from(0o600), 0).unwrap();
    let mut engine = Engine::start();
    for (sub_path, kind) in [("none", "not-found"), ("loop", "invalid"), ("fifo", "invalid")] {
        let (found, message) = engine.call("mountImage", ask(&scratch, &["layer"], sub_path)).unwrap_err();
        assert_eq!(found, kind, "{message}");
        assert!(message.contains(&format!("find {sub_path} in the image")), "{message}");
        assert!(!scratch.0.join("c").exists() && !is_mounted(&scratch.at("c/images/0")));
    }
    assert_eq!(engine.call("mountImage", ask(&scratch, &[], "")).unwrap_err().0, "invalid");
}

#[test]
fn volumes_of_an_image_are_made_inside_it() {
    let scratch = Scratch::new("volumes");
    scratch.dir("root/there");
    symlink("/elsewhere", scratch.at("root/link")).unwrap();
    let rootfs = scratch.at("root");
    let asked = json!({ "rootfs": rootfs, "volumes": ["/there", "/link/x", "/../y"], "uid": 3, "gid": 4 });
    let paths = Engine::start().call("makeVolumes", asked).unwrap()["paths"].clone();
    assert_eq!(paths, json!([format!("{rootfs}/there"), format!("{rootfs}/elsewhere/x"), format!("{rootfs}/y")]));
}
