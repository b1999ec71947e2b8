// Starts `planc lsp` and lets VS Code talk to it. Everything that is known about plans is known
// there; this file only says which files are plans and which program to start.
"use strict";

const { workspace } = require("vscode");
const { LanguageClient, TransportKind } = require("vscode-languageclient/node");

let client;

function activate() {
  // a folder must not choose the program that is started: the setting belongs to the machine
  const command = workspace.getConfiguration("planc").get("command", "planc");
  const server = { command, args: ["lsp"], transport: TransportKind.stdio };
  client = new LanguageClient("planc", "planc", server, {
    documentSelector: [
      { scheme: "file", language: "planc" },
      { scheme: "file", pattern: "**/*.{yaml,yml}" },
    ],
    synchronize: {
      fileEvents: workspace.createFileSystemWatcher("**/*.{plan,yaml,yml}"),
    },
  });
  return client.start();
}

function deactivate() {
  return client ? client.stop() : undefined;
}

module.exports = { activate, deactivate };
