use crate::client::{Engine, Scratch};
use serde_json::json;

#[test]
fn layers_become_visible_at_once_an_existing_one_wins_and_a_repeat_is_fine() {
    let scratch = Scratch::new("commit");
    scratch.file("temp/one/file", "new");
    scratch.file("temp/two/file", "second");
    scratch.file("layers/two/file", "first");
    let moves = json!({ "moves": [
        { "from": scratch.at("temp/one"), "to": scratch.at("layers/one"), "implied": [], "below": [] },
        { "from": scratch.at("temp/two"), "to": scratch.at("layers/two"), "implied": [], "below": [] },
    ] });
    let mut engine = Engine::start();
    engine.call("commitLayers", moves.clone()).unwrap();
    engine.call("commitLayers", moves).unwrap();
    let read = |path: &str| std::fs::read_to_string(scratch.at(path)).unwrap();
    assert_eq!((read("layers/one/file").as_str(), read("layers/two/file").as_str()), ("new", "first"));
    assert_eq!(std::fs::read_dir(scratch.at("temp")).unwrap().count(), 0);
}

#[test]
fn a_layer_that_is_nowhere_cannot_be_committed() {
    let scratch = Scratch::new("nowhere");
    scratch.dir("temp");
    let moves = json!({ "moves": [{ "from": scratch.at("temp/one"), "to": scratch.at("layers/one"), "implied": [], "below": [] }] });
    assert_eq!(Engine::start().call("commitLayers", moves).unwrap_err().0, "not-found");
}
