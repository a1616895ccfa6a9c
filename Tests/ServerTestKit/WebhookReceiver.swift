import Foundation
import JSONValue

/// A receiver of webhooks: a real server with real TLS that checks signatures by its own arithmetic, and misbehaves in the
/// way that the path of a call names.
///
/// Paths: `/status/N[/FIELD…]` (fields in hexadecimal), `/then/N,N,…[/BODY]` (one status after the other for each
/// `webhook-id`), `/redirect/URL`, `/body/N`, `/headers/N`, `/chunked`, `/interim`, `/hold`, and what a receiver should not
/// do: `/endless-body`, `/endless-headers`, `/slow-headers`, `/slow-body`, `/silent`, `/half`, `/garbage`, `/old`, `/reset`.
package final class WebhookReceiver: Sendable {
    /// A port and the certificate that is shown there.
    package enum Listener: String, Sendable, CaseIterable {
        /// No TLS.
        case plain
        /// For localhost, hook.test.example, 127.0.0.1, 127.0.0.2 and ::1, issued by ``authority``.
        case good
        case wrongName = "wrong-name"
        case expired
        case selfSigned = "self-signed"
        /// `good` on ::1.
        case good6
    }

    /// A call as it came in.
    package struct Request: Sendable {
        package let listener: String
        package let method: String
        package let path: String
        /// Names in lower case.
        package let headers: [String: String]
        package let body: String
        /// Which of the secrets of ``know(_:)`` the call is signed with, by their place.
        package let verified: [Int]

        package var id: String { headers["webhook-id"] ?? "" }
    }

    private let process: DaemonProcess
    private let directory: ServerDirectory
    private let ports: [String: Int]

    /// PEM file of the authority that the good certificate descends from.
    package var authority: String { directory.path("hooks/ca.pem") }

    /// Starts a receiver in `directory`, which must outlive it.
    package init(in directory: ServerDirectory) async throws {
        self.directory = directory
        let folder = try await directory.directory("hooks")
        let script = try directory.write("hooks/receiver.py", Self.program)
        process = try DaemonProcess("python3", [script, folder], logPath: directory.path("hooks.log"))
        let line = try await process.waitForLine(containing: "ready ", deadline: .seconds(30))
        let said = try JSONParser.parse(Array(line.text.dropFirst("ready ".count).utf8))
        ports = Dictionary(
            uniqueKeysWithValues: (said.objectValue ?? [:]).map { ($0.0, Int($0.1.intValue ?? 0)) })
    }

    /// 0 when the machine has no such address.
    package func port(_ listener: Listener) -> Int { ports[listener.rawValue] ?? 0 }

    /// The address of a path at a listener.
    package func url(_ path: String, at listener: Listener = .good, host: String = "127.0.0.1") -> String {
        "\(listener == .plain ? "http" : "https")://\(host):\(port(listener))\(path)"
    }

    /// `text` as a part of a path.
    package static func hex(_ text: String) -> String {
        text.utf8.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    /// Tells the secrets that signatures are checked with, as `whsec_…`.
    package func know(_ secrets: [String]) throws {
        try directory.write("hooks/secrets", secrets.joined(separator: "\n"))
    }

    /// Answers the calls of `/hold`, those that come later too.
    package func release() throws { try directory.write("hooks/release", "") }

    /// The calls so far, in order.
    package var requests: [Request] {
        process.lines.compactMap { line in
            guard line.text.hasPrefix("request "),
                let said = try? JSONParser.parse(Array(line.text.dropFirst("request ".count).utf8))
            else { return nil }
            return Request(
                listener: said["listener"]?.stringValue ?? "", method: said["method"]?.stringValue ?? "",
                path: said["path"]?.stringValue ?? "",
                headers: (said["headers"]?.objectValue ?? [:]).reduce(into: [:]) { $0[$1.0] = $1.1.stringValue ?? "" },
                body: said["body"]?.stringValue ?? "",
                verified: (said["verified"]?.arrayValue ?? []).compactMap { $0.intValue.map { Int($0) } })
        }
    }

    /// Waits until at least `count` calls have come, and returns all.
    @discardableResult
    package func waitForRequests(_ count: Int, deadline: Duration = .seconds(25)) async throws -> [Request] {
        try await eventualValue("\(count) calls of the receiver", deadline: deadline) {
            let requests = requests
            return requests.count >= count ? requests : nil
        }
    }

    package func stop() async throws { try await process.kill() }
}
