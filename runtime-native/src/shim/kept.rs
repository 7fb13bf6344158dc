//! What a shim hands over to the next version of itself, as JSON: this is a format that other releases read, so a field
//! is never given another meaning; a new one has a default. What an older release must not miss raises `STATE`.
//! Descriptors are numbers, which exec leaves as they are; instants are nanoseconds of CLOCK_MONOTONIC.

use std::path::PathBuf;

use serde::{Deserialize, Deserializer, Serialize};

use super::connection::Role;
use super::messages::{Exit, NumberedEvent, OciRuntime, State};
use super::runtime::Ended;
use super::shim::Caller;
use crate::frame::FrameError;

/// The version of the format.
pub const STATE: u32 = 1;

/// All that a shim is, between two turns of its loop and while it calls no OCI runtime.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeptShim {
    pub state: u32,
    /// Every descriptor that is named below.
    pub descriptors: Vec<i32>,
    /// Who waits for the answer to `upgrade`.
    pub caller: Caller,
    pub pod: KeptPod,
    pub connections: Vec<KeptConnection>,
    pub containers: Vec<KeptContainer>,
    pub execs: Vec<KeptExec>,
    pub watches: Vec<KeptWatch>,
    pub tunnels: Vec<KeptTunnel>,
    pub log_files: Vec<KeptLogFile>,
    pub left_network: bool,
    pub last_event: u64,
    #[serde(deserialize_with = "known_events")]
    pub events: Vec<NumberedEvent>,
    pub strangers: Vec<(i32, Ended)>,
    pub last_serial: u32,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeptPod {
    pub directory: String,
    pub socket: String,
    pub listener: i32,
    pub host_network: i32,
    pub user_namespace: Option<i32>,
    pub user_namespace_path: String,
    pub owner: Option<(u32, u32)>,
    pub pause_pid: i32,
    pub dev_null: i32,
    pub lock: i32,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeptConnection {
    pub serial: u32,
    pub role: Role,
    pub socket: i32,
    #[serde(with = "hex")]
    pub input: Vec<u8>,
    /// Bytes of a stdin packet that are still to come.
    pub stdin_left: usize,
    #[serde(with = "hex")]
    pub waiting: Vec<u8>,
    pub held: bool,
    pub end_at: Option<u64>,
    pub said_all: bool,
    pub broken: bool,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeptStdio {
    pub stdin: Option<i32>,
    pub stdout: Option<i32>,
    pub stderr: Option<i32>,
    #[serde(with = "hex")]
    pub unwritten: Vec<u8>,
    pub closing: bool,
    pub paused: bool,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeptContainer {
    pub serial: u32,
    pub id: String,
    pub bundle: String,
    pub runtime: OciRuntime,
    pub cgroup: KeptCgroup,
    pub state: State,
    pub pid: i32,
    pub started_at_ns: u64,
    pub tty: bool,
    pub stdin_once: bool,
    pub stdio: KeptStdio,
    /// stdin, stdout, stderr for the runtime's `start`.
    pub child: [Option<i32>; 3],
    pub log: Option<KeptLog>,
    pub ended: Option<Ended>,
    pub ran_out: bool,
    pub drain: Option<KeptDrain>,
    pub exit: Option<(u64, Exit)>,
    pub kill_at: Option<u64>,
    pub killed: bool,
    pub deleters: Vec<Caller>,
    pub delete_timeout_ms: u64,
    pub delete_refused: bool,
    pub force_at: Option<u64>,
    pub stalled_until: Option<u64>,
    pub leftover: Vec<KeptSubCgroup>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeptDrain {
    pub quiet_at: u64,
    pub end_at: u64,
    pub read: bool,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeptCgroup {
    pub members: PathBuf,
    pub controller: String,
    pub memory: PathBuf,
    pub inner: PathBuf,
    pub outer_kills: u64,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct KeptSubCgroup {
    pub dir: PathBuf,
    pub argument: String,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeptLog {
    pub folder: String,
    pub below: String,
    /// Of stdout and stderr, the part of a line that has come so far.
    #[serde(with = "hex")]
    pub out: Vec<u8>,
    #[serde(with = "hex")]
    pub err: Vec<u8>,
    pub flush_at: Option<u64>,
}

/// An open log, of the container with that serial.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeptLogFile {
    pub log: u32,
    pub folder: String,
    pub below: String,
    pub made: bool,
    pub file: i32,
    pub torn: bool,
    /// Records that the disk did not take, and why, of which nobody was told yet.
    pub lost_records: u64,
    pub lost_reason: String,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeptExec {
    pub serial: u32,
    pub stdio: KeptStdio,
    pub connection: Option<u32>,
    pub container: u32,
    pub name: String,
    pub files: [String; 3],
    pub sub: Option<KeptSubCgroup>,
    pub pid: i32,
    pub ended: Option<(Ended, u64)>,
    pub expires_at: Option<u64>,
    pub timed_out: bool,
    /// When it is killed again, and until when.
    pub killing: Option<(u64, u64)>,
}

/// An OCI runtime that waits for the end of a container inside a sandbox process.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeptWatch {
    pub pid: i32,
    pub container: u32,
    pub began_at_ns: u64,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct KeptTunnel {
    pub serial: u32,
    pub client: i32,
    pub target: i32,
    pub up: KeptWay,
    pub down: KeptWay,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeptWay {
    #[serde(with = "hex")]
    pub waiting: Vec<u8>,
    pub ended: bool,
    pub passed_on: bool,
}

#[derive(Deserialize)]
struct Head {
    state: u32,
}

/// Reads a state; `unsupported` when another version of the format wrote it.
pub fn read(text: &[u8]) -> Result<KeptShim, FrameError> {
    let unread = |error| FrameError::new("unsupported", format!("read a shim's state: {error}"));
    match serde_json::from_slice::<Head>(text).map_err(unread)?.state {
        STATE => serde_json::from_slice(text).map_err(unread),
        other => Err(FrameError::new("unsupported", format!("a shim's state of version {other}, not {STATE}"))),
    }
}

/// Events without those of a kind that only another release knows.
fn known_events<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<NumberedEvent>, D::Error> {
    let all = Vec::<serde_json::Value>::deserialize(deserializer)?;
    Ok(all.into_iter().filter_map(|event| serde_json::from_value(event).ok()).collect())
}

/// Bytes as lower-case hexadecimal digits.
mod hex {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    const DIGITS: &[u8; 16] = b"0123456789abcdef";

    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        let digit = |value: u8| char::from(DIGITS[usize::from(value & 15)]);
        let text: String = bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect();
        serializer.serialize_str(&text)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        let value = |digit: u8| char::from(digit).to_digit(16).map(|value| value as u8);
        let byte = |pair: &[u8]| match pair {
            [high, low] => Some(value(*high)? << 4 | value(*low)?),
            _ => None,
        };
        let bytes: Option<Vec<u8>> = text.as_bytes().chunks(2).map(byte).collect();
        bytes.ok_or_else(|| D::Error::custom("not hexadecimal"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the first release with this format wrote it; later ones must read it.
    const RECORDED: &str = include_str!("kept.example.json");

    #[test]
    fn a_state_of_the_first_release_is_read_and_written_as_it_was() {
        let kept = read(RECORDED.as_bytes()).unwrap();
        assert_eq!(serde_json::to_value(&kept).unwrap(), serde_json::from_str::<serde_json::Value>(RECORDED).unwrap());
        assert_eq!(kept.connections[0].input, b"\x00half");
    }

    #[test]
    fn an_event_of_a_kind_that_another_release_has_is_passed_over() {
        let other = RECORDED.replacen("\"event\": \"oom\"", "\"event\": \"later\"", 1);
        assert_eq!(read(other.as_bytes()).unwrap().events.len(), 1);
    }

    #[test]
    fn a_state_of_another_version_or_none_is_refused() {
        let newer = RECORDED.replacen("\"state\": 1", "\"state\": 2", 1);
        assert_eq!(read(newer.as_bytes()).unwrap_err().kind, "unsupported");
        for text in [
            "",
            "{}",
            "{\"state\":1}",
            &RECORDED[..RECORDED.len() / 2],
            &RECORDED.replacen("0068616c66", "0068616c6", 1),
        ] {
            assert_eq!(read(text.as_bytes()).unwrap_err().kind, "unsupported", "{text}");
        }
    }
}
