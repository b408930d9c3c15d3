// mom-lsp-server: Mixture-of-Mamba model texts in an editor, by the language server
// protocol over standard input and output.
#include "compiler/tools/mom-lsp-server/Document.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/LSP/Logging.h"
#include "llvm/Support/LSP/Transport.h"
#include "llvm/Support/Program.h"

using namespace mom::tool;
using namespace llvm::lsp;

static llvm::cl::opt<JSONStreamStyle>
    input("input-style", llvm::cl::desc("of messages"), llvm::cl::init(JSONStreamStyle::Standard),
          llvm::cl::values(clEnumValN(JSONStreamStyle::Standard, "standard", "as editors do"),
                           clEnumValN(JSONStreamStyle::Delimited, "delimited",
                                      "parted by // ----- lines, for tests")));

namespace {
class Server {
public:
  explicit Server(JSONTransport &transport) : handler(transport) {
    handler.method("initialize", this, &Server::initialize);
    handler.notification("initialized", this, &Server::initialized);
    handler.method("shutdown", this, &Server::shutdown);
    handler.notification("textDocument/didOpen", this, &Server::opened);
    handler.notification("textDocument/didChange", this, &Server::changed);
    handler.notification("textDocument/didClose", this, &Server::closed);
    handler.method("textDocument/hover", this, &Server::hover);
    handler.method("textDocument/definition", this, &Server::definition);
    handler.method("textDocument/completion", this, &Server::complete);
    handler.method("textDocument/formatting", this, &Server::format);
    publish = handler.outgoingNotification<PublishDiagnosticsParams>(
        "textDocument/publishDiagnostics");
  }

  MessageHandler handler;
  bool isShutDown = false;

private:
  void initialize(const InitializeParams &, Callback<llvm::json::Value> reply) {
    reply(llvm::json::Object{
        {"serverInfo", llvm::json::Object{{"name", "mom-lsp-server"}}},
        {"capabilities",
         llvm::json::Object{
             {"textDocumentSync", llvm::json::Object{{"openClose", true}, {"change", 2}}},
             {"hoverProvider", true},
             {"definitionProvider", true},
             {"documentFormattingProvider", true},
             {"completionProvider",
              llvm::json::Object{{"triggerCharacters", llvm::json::Array{"."}}}},
         }}});
  }
  void initialized(const InitializedParams &) {}
  void shutdown(const NoParams &, Callback<std::nullptr_t> reply) {
    isShutDown = true;
    reply(nullptr);
  }

  void update(const URIForFile &uri, std::string text, int64_t version) {
    auto &document = documents[uri.file()];
    auto next = std::make_shared<Document>(uri, std::move(text), version);
    if (document && !next->isParsed())
      next->lastGood = document->isParsed() ? document : document->lastGood;
    document = std::move(next);
    PublishDiagnosticsParams params(uri, version);
    params.diagnostics = document->diagnostics();
    publish(params);
  }

  void opened(const DidOpenTextDocumentParams &params) {
    update(params.textDocument.uri, params.textDocument.text, params.textDocument.version);
  }
  void changed(const DidChangeTextDocumentParams &params) {
    Document *document = find(params.textDocument.uri);
    if (!document)
      return;
    std::string text = document->text;
    if (succeeded(TextDocumentContentChangeEvent::applyTo(params.contentChanges, text)))
      update(params.textDocument.uri, std::move(text), params.textDocument.version);
  }
  void closed(const DidCloseTextDocumentParams &params) {
    documents.erase(params.textDocument.uri.file());
    publish(PublishDiagnosticsParams(params.textDocument.uri, 0));
  }

  void hover(const TextDocumentPositionParams &params, Callback<std::optional<Hover>> reply) {
    Document *document = find(params.textDocument.uri);
    reply(document ? document->hover(params.position) : std::nullopt);
  }
  void definition(const TextDocumentPositionParams &params,
                  Callback<std::vector<Location>> reply) {
    Document *document = find(params.textDocument.uri);
    reply(document ? document->definition(params.position) : std::vector<Location>());
  }
  void complete(const CompletionParams &params, Callback<CompletionList> reply) {
    Document *document = find(params.textDocument.uri);
    reply(document ? document->complete(params.position) : CompletionList());
  }
  /// Only the document is read of the request.
  void format(const DocumentSymbolParams &params, Callback<std::vector<TextEdit>> reply) {
    Document *document = find(params.textDocument.uri);
    reply(document ? document->format() : std::vector<TextEdit>());
  }

  Document *find(const URIForFile &uri) {
    auto found = documents.find(uri.file());
    return found == documents.end() ? nullptr : found->second.get();
  }

  llvm::StringMap<std::shared_ptr<Document>> documents;
  OutgoingNotification<PublishDiagnosticsParams> publish;
};
} // namespace

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  llvm::cl::ParseCommandLineOptions(argc, argv, "Mixture-of-Mamba model texts in an editor\n");
  llvm::sys::ChangeStdinToBinary();
  Logger::setLogLevel(Logger::Level::Error);
  JSONTransport transport(stdin, llvm::outs(), input,
                          /*PrettyOutput=*/input == JSONStreamStyle::Delimited);
  Server server(transport);
  if (llvm::Error error = transport.run(server.handler)) {
    Logger::error("{0}", llvm::toString(std::move(error)));
    return 1;
  }
  return server.isShutDown ? 0 : 1;
}
