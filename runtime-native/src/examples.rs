//! `api/frames.examples.json` holds one example of every message, made from the TypeScript types. Here each is read by
//! the type that has to understand it, and each that we send is written again and must come out equal.

use std::collections::BTreeSet;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::engine::messages as engine;
use crate::frame::FrameError;
use crate::pack::{PackLayerAsk, PackedLayer};
use crate::shim::messages as shim;
use crate::unpack::{FetchLayerAsk, FetchedLayer, GiveSourceAsk, ProgressEvent, SourceLostEvent, UnpackLayerAsk};

/// The examples of one side, and the names that were looked at.
struct Side {
    examples: Value,
    seen: BTreeSet<String>,
}

impl Side {
    fn read(side: &str) -> Self {
        Self::of(include_str!("../../api/frames.examples.json"), side)
    }

    fn of(text: &str, side: &str) -> Self {
        let mut all: Value = serde_json::from_str(text).unwrap();
        Self { examples: all[side].take(), seen: BTreeSet::new() }
    }

    /// A call whose ask is read as `A` and whose reply is written as `R`.
    fn call<A: DeserializeOwned, R: DeserializeOwned + Serialize>(&mut self, name: &str) {
        self.ask::<A>(name);
        let reply = &self.examples["calls"][name]["reply"];
        assert_eq!(&again::<R>(reply), reply, "reply of {name}");
    }

    fn ask<A: DeserializeOwned>(&mut self, name: &str) -> A {
        self.seen.insert(name.to_owned());
        let ask = &self.examples["calls"][name]["ask"];
        // From text, as a frame is: raw values cannot be read out of a tree.
        serde_json::from_str(&ask.to_string()).unwrap_or_else(|error| panic!("ask of {name}: {error}"))
    }

    fn same<T: DeserializeOwned + Serialize>(&self, kind: &str, name: &str) {
        let example = &self.examples[kind][name];
        assert_eq!(&again::<T>(example), example, "{kind} {name}");
    }

    /// Nothing was left out here that the other side may say.
    fn all_seen(self) {
        let calls = self.examples["calls"].as_object().unwrap();
        let unseen: Vec<_> = calls.keys().filter(|name| !self.seen.contains(*name)).collect();
        assert!(unseen.is_empty(), "no type is held against the examples of {unseen:?}");
    }
}

fn again<T: DeserializeOwned + Serialize>(example: &Value) -> Value {
    let read: T = serde_json::from_value(example.clone()).unwrap_or_else(|error| panic!("{example}: {error}"));
    serde_json::to_value(read).unwrap()
}

#[test]
fn every_call_of_the_engine_is_understood_and_answered_as_declared() {
    let mut side = Side::read("engine");
    side.call::<engine::HelloAsk, engine::HelloReply>("hello");
    side.call::<engine::CancelAsk, engine::Done>("cancel");
    side.call::<engine::StateAsk, engine::PrepareStateReply>("prepareState");
    side.call::<engine::StateAsk, engine::ReleaseStateReply>("releaseState");
    side.call::<engine::SpawnShimAsk, engine::SpawnShimReply>("spawnShim");
    side.call::<engine::ReleasePodAsk, engine::Done>("releasePod");
    side.call::<engine::UnpinNetnsAsk, engine::Done>("unpinNetns");
    side.call::<engine::RunAsk, engine::RunReply>("run");
    side.call::<engine::MountRootfsAsk, engine::MountRootfsReply>("mountRootfs");
    side.call::<engine::MountImageAsk, engine::MountImageReply>("mountImage");
    side.call::<engine::FindSourcesAsk, engine::FindSourcesReply>("findSources");
    side.call::<engine::ReadTextsAsk, engine::ReadTextsReply>("readTexts");
    side.call::<engine::RelabelAsk, engine::Done>("relabel");
    side.call::<engine::MakeVolumesAsk, engine::MakeVolumesReply>("makeVolumes");
    side.call::<engine::TryIdmapAsk, engine::TryIdmapReply>("tryIdmap");
    side.call::<engine::RemoveTreesAsk, engine::Done>("removeTrees");
    side.call::<engine::RemoveCgroupAsk, engine::RemoveCgroupReply>("removeCgroup");
    side.call::<engine::SampleAsk, engine::SampleReply>("sample");
    side.call::<engine::MeasureAsk, engine::MeasureReply>("measure");
    side.call::<engine::DiskUsageAsk, engine::DiskUsageReply>("diskUsage");
    side.call::<engine::NotifyAsk, engine::Done>("notify");
    side.call::<engine::GiveWayAsk, engine::Done>("giveWay");
    side.call::<engine::StatfsAsk, engine::StatfsReply>("statfs");
    side.call::<engine::CommitLayersAsk, engine::Done>("commitLayers");

    let layer: FetchLayerAsk = side.ask("fetchLayer");
    assert_eq!((layer.size_bytes, layer.source.addresses.len()), (5_000_000_000, 2));
    assert_eq!((layer.limits.unpacked_bytes, layer.limits.entries), (64 << 30, 10_000_000));
    let fetched = FetchedLayer {
        unpacked_bytes: 9_007_199_254_740_993,
        used_bytes: 4096,
        inodes: 3,
        implied: vec!["tmp".to_owned()],
    };
    assert_eq!(json!(fetched), side.examples["calls"]["fetchLayer"]["reply"]);
    let given: GiveSourceAsk = side.ask("giveSource");
    assert_eq!((given.of, given.source.unwrap().addresses.len()), (17, 1));
    assert_eq!(json!(engine::Done {}), side.examples["calls"]["giveSource"]["reply"]);
    let loaded: UnpackLayerAsk = side.ask("unpackLayer");
    assert_eq!((loaded.offset, loaded.size_bytes), (5_000_000_000, 512));
    assert_eq!(json!(fetched), side.examples["calls"]["unpackLayer"]["reply"]);
    let verified: engine::VerifyLayerAsk = side.ask("verifyLayer");
    assert_eq!(
        (verified.directory.as_str(), verified.sums.as_str()),
        ("/var/lib/berth/layers/aa", "/var/lib/berth/sums/aa")
    );
    let reply = engine::VerifyLayerReply {
        verified: true,
        files: 5,
        missing: 1,
        damaged: 2,
        names: vec!["passwd".to_owned(), "sh".to_owned()],
    };
    assert_eq!(json!(reply), side.examples["calls"]["verifyLayer"]["reply"]);
    let packed: PackLayerAsk = side.ask("packLayer");
    let reply = PackedLayer { digest: format!("sha256:{}", "a".repeat(64)), size_bytes: 9_007_199_254_740_993 };
    assert_eq!(packed.target, "/var/lib/berth/tmp/2");
    assert_eq!(json!(reply), side.examples["calls"]["packLayer"]["reply"]);
    side.all_seen();
}

#[test]
fn every_event_of_the_engine_is_said_as_declared() {
    let side = Side::read("engine");
    side.same::<ProgressEvent>("events", "progress");
    side.same::<SourceLostEvent>("events", "sourceLost");
    side.same::<engine::LogEvent>("events", "log");
}

#[test]
fn every_call_of_the_shim_is_understood_and_answered_as_declared() {
    let mut side = Side::read("shim");
    side.call::<shim::HelloAsk, shim::HelloReply>("hello");
    side.call::<shim::CreateAsk, shim::PidReply>("create");
    side.call::<shim::TimedAsk, shim::StartReply>("start");
    side.call::<shim::StopAsk, shim::Done>("stop");
    side.call::<shim::TimedAsk, shim::Done>("delete");
    side.call::<shim::ContainerAsk, shim::Done>("reopenLog");
    side.call::<shim::UpdateAsk, shim::Done>("update");
    side.call::<shim::ExecAsk, shim::PidReply>("exec");
    side.call::<shim::AttachAsk, shim::AttachReply>("attach");
    side.call::<shim::DialAsk, shim::Done>("dial");
    side.call::<shim::Done, shim::Done>("leaveNetwork");
    side.call::<shim::Done, shim::Done>("quit");
    side.call::<shim::UpgradeAsk, shim::UpgradeReply>("upgrade");
    side.all_seen();
}

#[test]
fn every_call_of_a_berthd_of_protocol_1_is_still_understood() {
    let mut side = Side::of(include_str!("../../api/frames.protocol-1.json"), "shim");
    let hello: shim::HelloAsk = side.ask("hello");
    assert_eq!((hello.protocol, hello.speaks), (1, None));
    side.call::<shim::CreateAsk, shim::PidReply>("create");
    side.call::<shim::TimedAsk, shim::StartReply>("start");
    side.call::<shim::StopAsk, shim::Done>("stop");
    side.call::<shim::TimedAsk, shim::Done>("delete");
    side.call::<shim::ContainerAsk, shim::Done>("reopenLog");
    side.call::<shim::UpdateAsk, shim::Done>("update");
    side.call::<shim::ExecAsk, shim::PidReply>("exec");
    side.call::<shim::AttachAsk, shim::AttachReply>("attach");
    side.call::<shim::DialAsk, shim::Done>("dial");
    side.call::<shim::Done, shim::Done>("leaveNetwork");
    side.call::<shim::Done, shim::Done>("quit");
    side.all_seen();
}

#[test]
fn every_event_and_packet_of_the_shim_is_said_as_declared() {
    let side = Side::read("shim");
    for name in ["exit", "oom", "logLost"] {
        let mut event = side.examples["events"][name].clone();
        event["event"] = json!(name);
        event["seq"] = json!(7);
        assert_eq!(again::<shim::NumberedEvent>(&event), event);
    }
    side.same::<shim::ExecStatus>("packets", "status");
    side.same::<shim::Resize>("packets", "resize");
}

#[test]
fn the_engine_hands_the_shim_a_pod_it_understands() {
    let passed_on = Side::read("engine").ask::<engine::SpawnShimAsk>("spawnShim").pod;
    let told: shim::ShimPod = serde_json::from_value(json!(passed_on)).unwrap();
    assert_eq!((told.pid, told.oom_score_adj), (shim::PidNamespace::Container, -999));
}

#[test]
fn an_error_is_said_as_declared() {
    let error = Side::read("error").examples;
    assert_eq!(again::<FrameError>(&error), error);
}
