//! An editor as the server sees one: framed JSON on its standard streams.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::{Value, json};

/// Nothing takes so long, also on a loaded machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// One running server with the files it was told of.
pub(crate) struct Editor {
    child: Child,
    input: Option<ChildStdin>,
    messages: Receiver<Value>,
    folder: PathBuf,
    last: i64,
    /// Notifications that came while something else was waited for.
    aside: VecDeque<Value>,
    version: i64,
}

impl Editor {
    /// Starts a server on a folder and shakes hands.
    pub(crate) fn start(folder: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_planc"));
        let command = command
            .arg("lsp")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = command.spawn().expect("starts");
        let input = child.stdin.take();
        let output = child.stdout.take().expect("piped");
        let (sender, messages) = channel();
        std::thread::spawn(move || {
            let mut output = BufReader::new(output);
            while let Some(message) = read(&mut output) {
                if sender.send(message).is_err() {
                    break;
                }
            }
        });
        let folder = folder.canonicalize().expect("exists");
        let mut editor = Self {
            child,
            input,
            messages,
            folder,
            last: 0,
            aside: VecDeque::new(),
            version: 1,
        };
        let root = editor.uri("");
        let folders = json!([{"uri": root, "name": "site"}]);
        let params = json!({"processId": null, "rootUri": root, "capabilities": {},
            "workspaceFolders": folders});
        let answer = editor.ask("initialize", params);
        assert_eq!(answer["serverInfo"]["name"], "planc");
        editor.tell("initialized", json!({}));
        editor
    }

    pub(crate) fn uri(&self, name: &str) -> String {
        let path = self.folder.join(name);
        format!("file://{}", path.display())
            .trim_end_matches('/')
            .to_owned()
    }

    fn send(&mut self, message: &Value) {
        let body = message.to_string();
        let input = self.input.as_mut().expect("open");
        write!(input, "Content-Length: {}\r\n\r\n{body}", body.len()).expect("taken");
        input.flush().expect("taken");
    }

    /// Sends a notification.
    pub(crate) fn tell(&mut self, method: &str, params: impl Into<Value>) {
        let params = params.into();
        self.send(&json!({"jsonrpc": "2.0", "method": method, "params": params}));
    }

    /// Sends a request; gives the whole response.
    pub(crate) fn response(&mut self, method: &str, params: impl Into<Value>) -> Value {
        let params = params.into();
        self.last += 1;
        let id = self.last;
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        loop {
            let message = self.messages.recv_timeout(PATIENCE).expect("an answer");
            if message["id"] == id {
                return message;
            }
            self.aside.push_back(message);
        }
    }

    /// Sends a request that must succeed; gives its result.
    pub(crate) fn ask(&mut self, method: &str, params: Value) -> Value {
        let mut response = self.response(method, params);
        assert!(response.get("error").is_none(), "{method}: {response}");
        response["result"].take()
    }

    /// Asks about a place of a file.
    pub(crate) fn ask_at(&mut self, method: &str, name: &str, position: &Value) -> Value {
        let document = json!({"uri": self.uri(name)});
        let params = json!({"textDocument": document, "position": position,
            "context": {"includeDeclaration": true, "triggerKind": 1}});
        self.ask(method, params)
    }

    /// Asks about a whole file.
    pub(crate) fn ask_of(&mut self, method: &str, name: &str) -> Value {
        let end = json!({"line": 1_000_000, "character": 0});
        let params = json!({"textDocument": {"uri": self.uri(name)},
            "range": {"start": {"line": 0, "character": 0}, "end": end},
            "options": {"tabSize": 2, "insertSpaces": true}});
        self.ask(method, params)
    }

    /// Opens a file as it is on disk.
    pub(crate) fn open(&mut self, name: &str) {
        let text = std::fs::read_to_string(self.folder.join(name)).expect("readable");
        self.open_as(name, &text);
    }

    /// Opens a buffer.
    pub(crate) fn open_as(&mut self, name: &str, text: &str) {
        let document = json!({"uri": self.uri(name), "languageId": "planc", "version": 1,
            "text": text});
        self.tell("textDocument/didOpen", json!({"textDocument": document}));
    }

    /// Replaces the text of a buffer.
    pub(crate) fn write(&mut self, name: &str, text: &str) {
        self.change(name, &json!([{"text": text}]));
    }

    /// Changes a buffer.
    pub(crate) fn change(&mut self, name: &str, changes: &Value) {
        self.version += 1;
        let document = json!({"uri": self.uri(name), "version": self.version});
        let params = json!({"textDocument": document, "contentChanges": changes});
        self.tell("textDocument/didChange", params);
    }

    pub(crate) fn close(&mut self, name: &str) {
        let params = json!({"textDocument": {"uri": self.uri(name)}});
        self.tell("textDocument/didClose", params);
    }

    /// The next findings of a file.
    pub(crate) fn findings(&mut self, name: &str) -> Vec<Value> {
        let uri = self.uri(name);
        loop {
            let message = self.aside.pop_front();
            let message =
                message.unwrap_or_else(|| self.messages.recv_timeout(PATIENCE).expect("findings"));
            let ours = message["method"] == "textDocument/publishDiagnostics"
                && message["params"]["uri"] == uri;
            if ours {
                let list = message["params"]["diagnostics"].as_array();
                return list.expect("a list").clone();
            }
        }
    }

    /// Codes of the next findings of a file.
    pub(crate) fn codes(&mut self, name: &str) -> Vec<String> {
        let findings = self.findings(name);
        let codes = findings
            .iter()
            .map(|f| f["code"].as_str().expect("a code").to_owned());
        codes.collect()
    }

    /// Says goodbye; the server must end by itself, and well.
    pub(crate) fn leave(mut self) {
        let gone = self.response("shutdown", Value::Null);
        assert!(gone.get("error").is_none(), "{gone}");
        self.tell("exit", Value::Null);
        drop(self.input.take());
        let status = self.child.wait().expect("ends");
        assert!(status.success(), "{status}");
    }
}

impl Drop for Editor {
    fn drop(&mut self) {
        drop(self.input.take());
        // a test that failed may leave a server behind that waits for nobody
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One framed message; none at the end of the stream.
fn read(from: &mut impl BufRead) -> Option<Value> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if from.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        if let Some(number) = line.strip_prefix("Content-Length: ") {
            length = number.parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    from.read_exact(&mut body).ok()?;
    serde_json::from_slice(&body).ok()
}
