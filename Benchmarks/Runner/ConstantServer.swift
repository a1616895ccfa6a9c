import Engine
import HTTPAdapter
import HTTPTypes
import Hummingbird
import HummingbirdCore
import JSONValue
import Logging
import NIOCore
import ServerTestKit
import WorkflowModel

/// The daemon's HTTP server with another responder, which answers every request with the same bytes and looks at nothing:
/// what the server costs without what it serves. It is no part of the daemon; the benchmarks start themselves a second
/// time for it.
struct ConstantServer: ApplicationProtocol {
    private static let option = "--serve-constant"

    private let http: HTTPServer
    let responder: Responder
    private let bound: @Sendable (Int) -> Void

    /// The arguments that make a process of this program serve.
    static func arguments(body: String, database: String) -> [String] { [option, database, body] }

    /// Nil when the arguments ask for something else.
    static func fromCommandLine(_ arguments: [String]) async throws -> ConstantServer? {
        guard arguments.count == 3, arguments[0] == option else { return nil }
        return try await ConstantServer(database: arguments[1], body: arguments[2])
    }

    /// Prints its port when it listens.
    private init(database: String, body: String) async throws {
        let engine = try await EngineUnderTest(database: database)
        bound = { say("listening \($0)") }
        http = HTTPServer(context: engine.context, configuration: HTTPConfiguration(port: 0))
        responder = Responder(body: ByteBuffer(string: body))
    }

    /// Until the process ends.
    func serve() async throws { try await runService() }

    var server: HTTPServerBuilder { http.server }
    var configuration: ApplicationConfiguration { http.configuration }
    var logger: Logger { http.logger }

    func onServerRunning(_ channel: any Channel) async { bound(channel.localAddress?.port ?? 0) }

    struct Responder: HTTPResponder {
        let body: ByteBuffer

        func respond(to request: Request, context: ConnectionContext) async throws -> Response {
            // As many header fields as the daemon's answer has, and of the same length.
            var response = Response(
                status: .ok,
                headers: [
                    .contentType: "application/json", .cacheControl: "no-store", .xContentTypeOptions: "nosniff",
                ],
                body: ResponseBody(byteBuffer: body))
            if let name = HTTPField.Name("X-Request-Id") {
                response.headers[name] = "019aaf4b-5c00-7c3e-8f01-77d0a9b1c203"
            }
            return response
        }
    }
}
