use crate::client::Engine;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg, sockopt};
use serde_json::json;
use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::os::unix::net::UnixDatagram;
use std::process::Command;

#[test]
fn a_state_reaches_the_manager_in_the_name_of_the_process_that_is_named() {
    let path = std::env::temp_dir().join(format!("berth-notify-{}", std::process::id()));
    let manager = UnixDatagram::bind(&path).unwrap();
    sockopt::set_socket_passcred(&manager, true).unwrap();
    let mut main = Command::new("/bin/sleep").arg("60").spawn().unwrap();
    let ask = json!({ "socket": path, "pid": main.id(), "state": "READY=1\nSTATUS=x" });
    Engine::start().call("notify", ask).unwrap();

    let (mut text, mut space) = ([0; 64], [MaybeUninit::uninit(); rustix::cmsg_space!(ScmCredentials(1))]);
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let got = recvmsg(&manager, &mut [IoSliceMut::new(&mut text)], &mut control, RecvFlags::empty()).unwrap();
    assert_eq!(&text[..got.bytes], b"READY=1\nSTATUS=x");
    let sender = control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmCredentials(credentials) => Some(credentials.pid.as_raw_nonzero().get()),
        _ => None,
    });
    assert_eq!(sender, Some(main.id() as i32));
    main.kill().unwrap();
    main.wait().unwrap();
    std::fs::remove_file(path).unwrap();
}

#[test]
fn a_manager_that_is_not_there_is_an_error() {
    let mut engine = Engine::start();
    for socket in ["/no/such/socket", "vsock:2:9", ""] {
        let error = engine.call("notify", json!({ "socket": socket, "pid": 1, "state": "READY=1" })).unwrap_err();
        assert!(error.1.contains("READY=1"), "{error:?}");
    }
}
