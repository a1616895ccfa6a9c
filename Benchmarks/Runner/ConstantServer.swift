import Engine
import Foundation
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

    /// What it answers, with as many header fields as the daemon's answer has, and of the same length.
    enum Answer {
        /// As that of `/v1/track`.
        case text(String)
        /// As that of `/o/…`.
        case image([UInt8])

        fileprivate var word: String {
            switch self {
            case .text(let text): "text:" + text
            case .image(let bytes): "image:" + Data(bytes).base64EncodedString()
            }
        }

        fileprivate init?(word: String) {
            if word.hasPrefix("text:") {
                self = .text(String(word.dropFirst(5)))
            } else if word.hasPrefix("image:"), let data = Data(base64Encoded: String(word.dropFirst(6))) {
                self = .image(Array(data))
            } else {
                return nil
            }
        }

        fileprivate var body: ByteBuffer {
            switch self {
            case .text(let text): ByteBuffer(string: text)
            case .image(let bytes): ByteBuffer(bytes: bytes)
            }
        }

        fileprivate var headers: HTTPFields {
            let fields =
                switch self {
                case .text: [("Content-Type", "application/json"), ("Cache-Control", "no-store")]
                case .image:
                    [
                        ("Content-Type", "image/gif"),
                        ("Cache-Control", "no-store, no-cache, must-revalidate, private, max-age=0"),
                        ("Pragma", "no-cache"), ("Expires", "0"), ("Cross-Origin-Resource-Policy", "cross-origin"),
                        ("Referrer-Policy", "no-referrer"),
                    ]
                }
            var headers: HTTPFields = [.xContentTypeOptions: "nosniff"]
            for (name, value) in fields {
                if let name = HTTPField.Name(name) { headers[name] = value }
            }
            return headers
        }
    }

    /// Starts a process of this program that serves.
    /// - Returns: the process, and its port.
    static func start(_ answer: Answer, database: String) async throws -> (DaemonProcess, Int) {
        let process = try DaemonProcess(CommandLine.arguments[0], [option, database, answer.word])
        let line = try await process.waitForLine(containing: "listening")
        guard let port = line.text.split(separator: " ").last.flatMap({ Int($0) }) else {
            throw BenchmarkFailure("the constant server did not tell its port: \(line.text)")
        }
        return (process, port)
    }

    /// Nil when the arguments ask for something else.
    static func fromCommandLine(_ arguments: [String]) async throws -> ConstantServer? {
        guard arguments.count == 3, arguments[0] == option, let answer = Answer(word: arguments[2]) else { return nil }
        return try await ConstantServer(database: arguments[1], answer)
    }

    /// Prints its port when it listens.
    private init(database: String, _ answer: Answer) async throws {
        let engine = try await EngineUnderTest(database: database)
        bound = { say("listening \($0)") }
        http = HTTPServer(context: engine.context, configuration: HTTPConfiguration(port: 0))
        responder = Responder(body: answer.body, headers: answer.headers)
    }

    /// Until the process ends.
    func serve() async throws { try await runService() }

    var server: HTTPServerBuilder { http.server }
    var configuration: ApplicationConfiguration { http.configuration }
    var logger: Logger { http.logger }

    func onServerRunning(_ channel: any Channel) async { bound(channel.localAddress?.port ?? 0) }

    struct Responder: HTTPResponder {
        let body: ByteBuffer
        let headers: HTTPFields

        func respond(to request: Request, context: ConnectionContext) async throws -> Response {
            var response = Response(status: .ok, headers: headers, body: ResponseBody(byteBuffer: body))
            if let name = HTTPField.Name("X-Request-Id") {
                response.headers[name] = "019aaf4b-5c00-7c3e-8f01-77d0a9b1c203"
            }
            return response
        }
    }
}
