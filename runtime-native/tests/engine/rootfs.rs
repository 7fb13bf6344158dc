use crate::client::{Engine, Scratch, is_mounted};
use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};
use serde_json::{Value, json};
use std::os::unix::fs::{PermissionsExt, symlink};

fn ask(scratch: &Scratch, lower: &[String], read: &[&str]) -> Value {
    let (target, upper, work) = (scratch.at("c/rootfs"), scratch.at("c/upper"), scratch.at("c/work"));
    json!({ "target": target, "lower": lower, "upper": upper, "work": work, "label": "", "read": read })
}

#[test]
fn layers_are_stacked_with_whiteouts_and_files_are_looked_up_inside() {
    let scratch = Scratch::new("rootfs");
    scratch.file("low/etc/passwd", "root:x:0:0\n");
    scratch.file("low/etc/gone", "low");
    scratch.file("low/kept", "low");
    scratch.file("top/kept", "top");
    scratch.dir("top/etc");
    mknodat(CWD, scratch.at("top/etc/gone"), FileType::CharacterDevice, Mode::empty(), makedev(0, 0)).unwrap();
    symlink("../../../../../../kept", scratch.at("top/etc/group")).unwrap();
    std::fs::set_permissions(scratch.at("top"), PermissionsExt::from_mode(0o751)).unwrap();
    let lower = [scratch.at("top"), scratch.at("low")];
    let mut engine = Engine::start();
    let asked = ask(&scratch, &lower, &["/etc/passwd", "/etc/group", "/etc/gone", "/etc"]);
    let reply = engine.call("mountRootfs", asked.clone()).unwrap();
    assert_eq!(reply["files"], json!({ "/etc/passwd": "root:x:0:0\n", "/etc/group": "top" }));
    let target = scratch.at("c/rootfs");
    assert_eq!(std::fs::metadata(&target).unwrap().permissions().mode() & 0o7777, 0o751);
    std::fs::write(format!("{target}/written"), "x").unwrap();
    assert!(scratch.0.join("c/upper/written").exists());
    assert_eq!(engine.call("mountRootfs", asked).unwrap_err().0, "exists");
    assert!(is_mounted(&target));

    let gone = json!({ "unmount": [target], "remove": [scratch.at("c"), scratch.at("never")] });
    engine.call("removeTrees", gone.clone()).unwrap();
    engine.call("removeTrees", gone).unwrap();
    assert!(!scratch.0.join("c").exists());
    assert!(scratch.0.join("low/kept").exists());
}

#[test]
fn a_hundred_layers_mount() {
    let scratch = Scratch::new("hundred");
    let name = |at: usize| format!("layers/{at:0>64}");
    let lower: Vec<String> = (0..100).map(|at| scratch.dir(&name(at))).collect();
    scratch.file(&format!("{}/deep", name(99)), "deep");
    let reply = Engine::start().call("mountRootfs", ask(&scratch, &lower, &["/deep"])).unwrap();
    assert_eq!(reply["files"]["/deep"], "deep");
}

#[test]
fn a_mount_that_fails_leaves_nothing() {
    let scratch = Scratch::new("nolayer");
    let (_, message) = Engine::start().call("mountRootfs", ask(&scratch, &[scratch.at("missing")], &[])).unwrap_err();
    assert!(message.contains("missing"), "{message}");
    assert!(!scratch.0.join("c").exists());
}
