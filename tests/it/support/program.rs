//! The program itself, as a process.

use std::fs::{self, File};
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::{eventually, free_port, http};

/// A running `innkeeper` in a folder of its own; ends with this value, by its process id.
pub(crate) struct Program {
    process: Child,
    port: u16,
    folder: PathBuf,
    temporary: Option<TempDir>,
    /// Ids of the requests by which [`log`](Self::log) finds out how far the log has got.
    markers: Mutex<Vec<String>>,
}

/// What an operator's command said.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) status: i32,
    pub(crate) out: String,
    pub(crate) problem: String,
}

impl Program {
    /// Starts it with these variables in an environment that is otherwise empty of settings.
    pub(crate) fn start(variables: &[(&str, &str)]) -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let mut program = Self::start_in(temporary.path(), variables);
        program.temporary = Some(temporary);
        program
    }

    /// The same in a folder that outlives it.
    pub(crate) fn start_in(folder: &Path, variables: &[(&str, &str)]) -> Self {
        for _ in 0..10 {
            let port = free_port();
            let (process, listening) = launch(folder, variables, port);
            if listening {
                return Self {
                    process,
                    port,
                    folder: folder.to_owned(),
                    temporary: None,
                    markers: Mutex::default(),
                };
            }
            let log = fs::read_to_string(folder.join("log")).unwrap();
            assert!(log.contains("cannot be bound"), "innkeeper ended: {log}");
        }
        panic!("no port for innkeeper in ten tries");
    }

    /// Starts it with a standard error of the test's own, and with metrics at a port that is returned with its reader,
    /// if it has one.
    pub(crate) fn start_with_stderr(
        variables: &[(&str, &str)],
        stderr: impl Fn() -> Stdio,
    ) -> (Self, Option<ChildStderr>, u16) {
        let folder = tempfile::tempdir().unwrap();
        for _ in 0..10 {
            let (port, metrics) = (free_port(), free_port());
            let mut process = command(folder.path(), variables)
                .env("ROCKET_PORT", port.to_string())
                .env("INNKEEPER_METRICS_ADDRESS", format!("127.0.0.1:{metrics}"))
                .stderr(stderr())
                .spawn()
                .unwrap();
            let up = eventually("innkeeper to listen", || {
                if process.try_wait().unwrap().is_some() {
                    return Some(false);
                }
                let listens = |port| TcpStream::connect(("127.0.0.1", port)).is_ok();
                (listens(port) && listens(metrics)).then_some(true)
            });
            if up {
                let reader = process.stderr.take();
                let program = Self {
                    process,
                    port,
                    folder: folder.path().to_owned(),
                    temporary: Some(folder),
                    markers: Mutex::default(),
                };
                return (program, reader, metrics);
            }
        }
        panic!("innkeeper did not start in ten tries");
    }

    /// Starts it, and kills it as soon as something is so; `false`: it listened before that.
    pub(crate) fn start_and_kill(
        folder: &Path,
        variables: &[(&str, &str)],
        when: impl Fn() -> bool,
    ) -> bool {
        let mut process = command(folder, variables)
            .env("ROCKET_PORT", free_port().to_string())
            .spawn()
            .unwrap();
        let begun = Instant::now();
        let killed = loop {
            if when() {
                break true;
            }
            let log = fs::read_to_string(folder.join("log")).unwrap();
            assert!(process.try_wait().unwrap().is_none(), "it ended: {log}");
            if log.contains("listening on") {
                break false;
            }
            assert!(begun.elapsed() < Duration::from_secs(60), "{log}");
        };
        process.kill().unwrap();
        process.wait().unwrap();
        killed
    }

    /// Starts it where it is expected to refuse, and returns what it says.
    #[track_caller]
    pub(crate) fn refusal(folder: &Path, variables: &[(&str, &str)]) -> String {
        let port = free_port().to_string();
        let mut all = vec![("ROCKET_PORT", port.as_str())];
        all.extend(variables);
        Self::refusal_as_given(folder, &all)
    }

    /// The same where the port is the test's own subject.
    #[track_caller]
    pub(crate) fn refusal_as_given(folder: &Path, variables: &[(&str, &str)]) -> String {
        let mut process = command(folder, variables).spawn().unwrap();
        let status = eventually("innkeeper to end", || {
            let status = process.try_wait().unwrap();
            let log = fs::read_to_string(folder.join("log")).unwrap();
            if status.is_none() && log.contains("listening on") {
                process.kill().unwrap();
                panic!("innkeeper launched with {variables:?}");
            }
            status
        });
        let said = fs::read_to_string(folder.join("log")).unwrap();
        assert!(!status.success(), "{said}");
        said
    }

    /// Runs an operator's command to its end.
    pub(crate) fn operate(folder: &Path, words: &[&str], variables: &[(&str, &str)]) -> Output {
        let output = command(folder, variables)
            .args(words)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .output()
            .unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Output {
            status: output.status.code().unwrap(),
            out: text(output.stdout),
            problem: text(output.stderr),
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Of the process.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// The port at which the metrics are, where they are served.
    pub(crate) fn metrics_port(&self) -> u16 {
        eventually("the metrics to be served", || {
            let log = self.raw_log();
            let (_, address) = log.split_once("metrics are at http://127.0.0.1:")?;
            address.split('/').next()?.parse().ok()
        })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What it has written to standard output and error so far, whole: lines are written a little after their
    /// answers, but in order, so the line of one request more tells that those before it are there.
    pub(crate) fn log(&self) -> String {
        let answer = http::request_or_nothing(self.port, "GET /", &[], "");
        if !answer.is_empty() {
            let marker = http::request_id(&answer);
            eventually("the log to get here", || {
                self.raw_log().contains(&marker).then_some(())
            });
            self.markers.lock().unwrap().push(marker);
        }
        let markers = self.markers.lock().unwrap();
        let log = self.raw_log();
        let asked = |line: &&str| !markers.iter().any(|marker| line.contains(marker));
        log.split_inclusive('\n').filter(asked).collect()
    }

    /// The same as it stands there at this moment.
    pub(crate) fn raw_log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap()
    }

    /// Its folder, with the file systems that only it sees.
    pub(crate) fn own_folder(&self) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.process.id()));
        root.join(self.folder.strip_prefix("/").unwrap())
    }

    /// Limits the size of the files that it may write; `unlimited` lifts the limit.
    pub(crate) fn limit_files_to(&self, size: &str) {
        self.limit(&format!("--fsize={size}:unlimited"));
    }

    /// Lets it have so much more memory than it has at this moment, and no more.
    pub(crate) fn limit_more_memory_to(&self, mebibytes: u64) {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let has = status
            .lines()
            .find_map(|line| line.strip_prefix("VmSize:"))
            .and_then(|size| size.trim().strip_suffix(" kB"))
            .and_then(|size| size.parse::<u64>().ok())
            .expect("Linux tells the size of a process");
        self.limit(&format!("--as={}", (has + 1024 * mebibytes) * 1024));
    }

    fn limit(&self, limit: &str) {
        let limited = Command::new("prlimit")
            .args(["--pid", &self.process.id().to_string(), limit])
            .status()
            .expect("prlimit cannot be started; it is part of util-linux");
        assert!(limited.success());
    }

    pub(crate) fn signal(&self, name: &str) {
        signal(self.process.id(), name);
    }

    /// Lets it hang.
    pub(crate) fn stop(&self) {
        self.signal("STOP");
    }

    pub(crate) fn go_on(&self) {
        self.signal("CONT");
    }

    /// Ends it without any warning.
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Asks it to end, and waits until it has.
    pub(crate) fn terminate(&mut self) -> ExitStatus {
        self.ask_to_end();
        self.wait()
    }

    pub(crate) fn ask_to_end(&self) {
        self.signal("TERM");
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        eventually("innkeeper to end", || self.process.try_wait().unwrap())
    }

    /// Starts it anew at the same port, after its end.
    pub(crate) fn start_again(&mut self, variables: &[(&str, &str)]) {
        let (process, up) = launch(&self.folder, variables, self.port);
        self.process = process;
        assert!(up, "innkeeper ended: {}", self.log());
    }

    /// Ends it in order, lets somebody else take what is left of its [`SMALL_DISK`], and starts it anew on that.
    pub(crate) fn start_again_on_its_full_disk(&mut self) {
        let process = PathBuf::from(format!("/proc/{}", self.process.id()));
        // An open namespace stays, with what is mounted in it, when the last process in it has ended.
        let [users, mounts] =
            ["user", "mnt"].map(|kind| File::open(process.join("ns").join(kind)).unwrap());
        let path = |file: &File| format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd());
        assert!(self.terminate().success(), "{}", self.raw_log());
        let namespaces = [
            (USER_NAMESPACE, path(&users)),
            (MOUNT_NAMESPACE, path(&mounts)),
        ];
        let variables = namespaces.each_ref().map(|(name, path)| (*name, &**path));
        self.start_again(&variables);
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// Starts it and waits; says whether it listens, or has ended.
fn launch(folder: &Path, variables: &[(&str, &str)], port: u16) -> (Child, bool) {
    let mut process = command(folder, variables)
        .env("ROCKET_PORT", port.to_string())
        .spawn()
        .unwrap();
    let listening = eventually("innkeeper to listen", || {
        if process.try_wait().unwrap().is_some() {
            return Some(false);
        }
        let log = fs::read_to_string(folder.join("log")).unwrap();
        let up = log.contains("listening on") && TcpStream::connect(("127.0.0.1", port)).is_ok();
        up.then_some(true)
    });
    (process, listening)
}

/// A variable for [`Program::start_in`]: a file system of this size at `data`, which only that program sees.
pub(crate) const SMALL_DISK: &str = "INN_SMALL_DISK";

/// Of which kind that is, if not `tmpfs`.
pub(crate) const DISK_TYPE: &str = "INN_DISK_TYPE";

/// Arguments of the server, with spaces between.
pub(crate) const ARGUMENTS: &str = "INN_ARGUMENTS";

const ON_SMALL_DISK: &str = r#"
    mkdir -p data &&
    mount -t ${INN_DISK_TYPE:-tmpfs} -o size=$INN_SMALL_DISK tmpfs data &&
    head -c 8m /dev/zero > data/others &&
    exec "$0" "$@"
"#;

const USER_NAMESPACE: &str = "INN_USER_NAMESPACE";
const MOUNT_NAMESPACE: &str = "INN_MOUNT_NAMESPACE";

const ON_THAT_DISK_AGAIN: &str = r#"
    folder=$PWD &&
    exec nsenter --user="$INN_USER_NAMESPACE" --mount="$INN_MOUNT_NAMESPACE" sh -c '
        cd "$0" &&
        { head -c 64m /dev/zero > data/rest_after_the_end; } 2> /dev/null
        exec "$@"
    ' "$folder" "$0" "$@"
"#;

fn assert_a_disk_can_be_mounted() {
    let tried = Command::new("unshare")
        .args(["--map-root-user", "--mount", "true"])
        .stderr(Stdio::null())
        .status();
    assert!(
        tried.is_ok_and(|status| status.success()),
        "this test mounts a file system that only it sees: run it as root, or let users have namespaces \
         (sysctl kernel.apparmor_restrict_unprivileged_userns=0 on Ubuntu)"
    );
}

fn command(folder: &Path, variables: &[(&str, &str)]) -> Command {
    let log = File::create(folder.join("log")).unwrap();
    // A file that may not grow is then an error and not the end of the process.
    let is_given = |name| variables.iter().any(|(given, _)| *given == name);
    let mut command = if is_given(SMALL_DISK) {
        assert_a_disk_can_be_mounted();
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--mount", "sh", "-c", ON_SMALL_DISK]);
        command
    } else if is_given(MOUNT_NAMESPACE) {
        let mut command = Command::new("sh");
        command.args(["-c", ON_THAT_DISK_AGAIN]);
        command
    } else {
        let mut command = Command::new("sh");
        command.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""]);
        command
    };
    command.arg(env!("CARGO_BIN_EXE_innkeeper"));
    let arguments = variables.iter().find(|(name, _)| *name == ARGUMENTS);
    command.args(
        arguments
            .into_iter()
            .flat_map(|(_, words)| words.split(' ')),
    );
    let ours = |name: &str| {
        [
            "INNKEEPER_",
            "ROCKET_",
            "REDIS_",
            "UPSTASH_",
            "RUST_LOG",
            "CREDENTIALS_DIRECTORY",
        ]
        .iter()
        .any(|prefix| name.starts_with(prefix))
    };
    for (name, _) in std::env::vars().filter(|(name, _)| ours(name)) {
        command.env_remove(name);
    }
    command
        .current_dir(folder)
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log);
    command
}

/// Sends a signal; every shell knows how.
pub(crate) fn signal(process: u32, signal: &str) {
    let sent = Command::new("sh")
        .args(["-c", &format!("kill -{signal} {process}")])
        .status()
        .unwrap();
    assert!(sent.success());
}
