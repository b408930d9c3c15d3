// Starts the language server for .mom and .sched files.
const { workspace } = require("vscode");
const { LanguageClient } = require("vscode-languageclient/node");

let client;

exports.activate = () => {
  const command = workspace.getConfiguration("mom").get("server");
  client = new LanguageClient("mom", "Mixture-of-Mamba", { command },
                              { documentSelector: [{ scheme: "file", language: "mom" }] });
  return client.start();
};

exports.deactivate = () => client && client.stop();
