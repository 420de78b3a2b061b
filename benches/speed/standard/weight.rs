//! What an answer weighs, and whether a program writes a line in its log for it: who does less is faster for it.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::process::Stdio;
use std::thread;
use std::time::Duration;
use std::{fs, path::Path};

use crate::load::Answer;
use crate::load::request::{self, Form};
use crate::load::visits::session_cookie;
use crate::servers::Program;

/// Of the answer to `GET /profile/`.
#[derive(Clone, Copy)]
pub(super) struct Weight {
    /// In bytes.
    pub(super) body: usize,
    pub(super) headers: usize,
    /// All of them and the status line, in bytes.
    pub(super) head: usize,
}

impl Weight {
    pub(super) fn of_profile(port: u16, form: Form, cookie: &[u8]) -> Self {
        let mut question = Vec::new();
        request::get(&mut question, "/profile/", form, cookie);
        let (answer, head) = ask(port, &question);
        assert_eq!(answer.status, 200, "{head}");
        Self {
            body: answer.body,
            // Without the status line and the empty one.
            headers: head.lines().count() - 2,
            head: answer.head,
        }
    }
}

/// How many lines a program writes for a profile, as it is started for the bench.
pub(super) fn log_lines(program: &Program, folder: &Path) -> usize {
    const REQUESTS: usize = 20;
    let log = folder.join("log");
    let file = File::create(&log).unwrap();
    let server = program.start_printing_to(|| Stdio::from(file.try_clone().unwrap()));
    let lines = || fs::read(&log).unwrap().split(|byte| *byte == b'\n').count();
    // What it says of its start, and of these requests, may come a little later.
    let settle = || thread::sleep(Duration::from_millis(300));
    let mut question = Vec::new();
    request::login(&mut question, "logged");
    let (answer, head) = ask(server.port, &question);
    // A bare Rocket knows no sign-in, and answers a profile with an error.
    let cookie: &[u8] = match answer.status {
        200 => session_cookie(head.as_bytes()),
        _ => b"",
    };
    question.clear();
    request::get(&mut question, "/profile/", Form::Json, cookie);
    settle();
    let before = lines();
    for _ in 0..REQUESTS {
        ask(server.port, &question);
    }
    settle();
    let written = lines() - before;
    server.stop();
    written.div_ceil(REQUESTS)
}

fn ask(port: u16, question: &[u8]) -> (Answer, String) {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    stream.write_all(question).unwrap();
    let (mut told, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        let length = stream.read(&mut piece).unwrap();
        assert!(length > 0, "an answer that is not whole");
        told.extend_from_slice(&piece[..length]);
        let Some(answer) = Answer::parse(&told) else {
            continue;
        };
        let answer = answer.unwrap();
        if told.len() >= answer.head + answer.body {
            let head = String::from_utf8_lossy(&told[..answer.head]).into_owned();
            return (answer, head);
        }
    }
}
