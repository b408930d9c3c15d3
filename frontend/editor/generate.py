#!/usr/bin/python3
"""Writes the grammar of Mixture-of-Mamba model texts for editors, from the tables of the frontend.

    frontend/editor/generate.py DIR       # frontend/editor/vscode is its result

DIR/syntaxes/mom.tmLanguage.json colours texts in VS Code and other editors that read TextMate
grammars; DIR/package.json says so to VS Code.
"""
import json
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
DECLARATIONS = ["modality", "setting", "const", "batch", "layer", "model", "train", "export", "schedule",
                "part", "weight", "loss", "metric"]
CONSTANTS = ["true", "false"]


def table(name, macro):
    """The first argument of each row of a .def file."""
    with open(os.path.join(HERE, "..", name)) as file:
        return re.findall(rf"^{macro}\((\w+)[,)]", file.read(), re.MULTILINE)


def any_of(words):
    return rf"\b({'|'.join(words)})\b"


def grammar():
    keywords = table("Tokens.def", "KEYWORD")
    functions = table("Functions.def", "ELEMENTWISE") + table("Functions.def", "FUNCTION")
    control = [word for word in keywords if word not in DECLARATIONS + CONSTANTS]
    missing = [word for word in DECLARATIONS + CONSTANTS if word not in keywords]
    if missing:
        sys.exit(f"error: no keywords any more: {missing}")
    makers = ["linear", "conv1d", "rms_norm", "embedding"]
    train = ["minimize", "accumulate", "clip", "norm", "precision", "adamw", "then", "except", "weights",
             "moments", "gradients", "copy", "warmup", "cosine", "constant"]
    schedule = ["on", "when", "rows", "kernel", "grad", "save"]
    types = ["token", "document", "stream", "index", "f32", "bf16", "f16", "normal", "uniform"]
    return {
        "$schema": "https://raw.githubusercontent.com/martinring/tmlanguage/master/tmlanguage.json",
        "name": "Mixture-of-Mamba",
        "scopeName": "source.mom",
        "patterns": [
            {"name": "comment.line.number-sign.mom", "match": "#.*$"},
            {"name": "constant.language.mom", "match": any_of(CONSTANTS)},
            {"match": r"\b(layer|model|train|schedule|modality)\s+(\w+)",
             "captures": {"1": {"name": "keyword.declaration.mom"}, "2": {"name": "entity.name.function.mom"}}},
            {"name": "keyword.declaration.mom", "match": any_of(DECLARATIONS)},
            {"name": "keyword.control.mom", "match": any_of(control + ["where", "reverse"])},
            {"name": "keyword.other.mom", "match": any_of(train + schedule)},
            {"name": "support.type.mom", "match": any_of(types)},
            {"name": "support.class.mom", "match": any_of(makers)},
            {"name": "support.function.mom", "match": rf"{any_of(functions)}(?=\s*\()"},
            {"name": "variable.parameter.mom", "match": r"\b\w+(?=\s*:)"},
            {"name": "constant.numeric.mom", "match": r"\b\d+(\.\d+)?([eE][+-]?\d+)?\b"},
            {"name": "keyword.operator.mom", "match": r"->|\.\.|==|!=|<=|>=|[-+*/=<>]"},
        ],
    }


def package():
    return {
        "name": "mom",
        "displayName": "Mixture-of-Mamba models",
        "description": "Colours, messages, hover, definitions, completion and formatting of .mom and .sched files",
        "version": "1.0.0",
        "publisher": "momc",
        "engines": {"vscode": "^1.75.0"},
        "categories": ["Programming Languages"],
        "main": "./extension.js",
        "activationEvents": ["onLanguage:mom"],
        "dependencies": {"vscode-languageclient": "^9.0.0"},
        "contributes": {
            "languages": [{"id": "mom", "aliases": ["Mixture-of-Mamba"], "extensions": [".mom", ".sched"],
                           "configuration": "./language-configuration.json"}],
            "grammars": [{"language": "mom", "scopeName": "source.mom",
                          "path": "./syntaxes/mom.tmLanguage.json"}],
            "configuration": {"title": "Mixture-of-Mamba", "properties": {
                "mom.server": {"type": "string", "default": "mom-lsp-server",
                               "description": "the language server, built with momc"}}},
        },
    }


def configuration():
    return {"comments": {"lineComment": "#"},
            "brackets": [["{", "}"], ["[", "]"], ["(", ")"]],
            "autoClosingPairs": [["{", "}"], ["[", "]"], ["(", ")"]],
            "surroundingPairs": [["{", "}"], ["[", "]"], ["(", ")"]]}


EXTENSION = """// Starts the language server for .mom and .sched files.
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
"""


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(text)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    for name, content in [("syntaxes/mom.tmLanguage.json", grammar()), ("package.json", package()),
                          ("language-configuration.json", configuration())]:
        write(os.path.join(sys.argv[1], name), json.dumps(content, indent=2) + "\n")
    write(os.path.join(sys.argv[1], "extension.js"), EXTENSION)


main()
