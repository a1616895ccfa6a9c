import Foundation
import Logging
import MailModel

@testable import SMTPAdapter

/// A message with nothing special about it.
func plainMail(
    _ body: String = "Hello.\r\n", to recipient: String = "bob@example.org", from sender: String = "alice@example.org"
) -> OutgoingMail {
    OutgoingMail(
        reversePath: sender, recipient: recipient,
        bytes: Array(("From: alice@example.org\r\nTo: bob@example.org\r\nSubject: Test\r\n\r\n" + body).utf8))
}

/// Runs `body` with a transport to the port on this machine, and shuts it down afterwards.
func withTransport<Value: Sendable>(
    port: Int, workers: Int = 1, replyTimeout: Duration = .seconds(10),
    change: (inout SMTPConfiguration) -> Void = { _ in },
    _ body: (SMTPTransport) async throws -> Value
) async throws -> Value {
    var configuration = SMTPConfiguration(
        port: port, ehloName: "client.example", workers: workers, connectTimeout: replyTimeout,
        replyTimeout: replyTimeout)
    change(&configuration)
    let transport = try SMTPTransport(configuration: configuration, logger: Logger(label: "test"))
    do {
        let value = try await body(transport)
        await transport.shutdown()
        return value
    } catch {
        await transport.shutdown()
        throw error
    }
}

/// One delivery of one plain message.
func deliverOnce(
    port: Int, replyTimeout: Duration = .seconds(10), change: (inout SMTPConfiguration) -> Void = { _ in }
) async throws -> DeliveryOutcome {
    try await withTransport(port: port, replyTimeout: replyTimeout, change: change) {
        await $0.deliver(plainMail())
    }
}

/// An outcome without its words: the case, and the reply's code where it has one.
enum OutcomeKind: Hashable, Sendable {
    case delivered(Int), rejected(Int), deferred(Int), unreachable, unknown, unsupported, refused

    init(_ outcome: DeliveryOutcome) {
        self =
            switch outcome {
            case .delivered(let reply, _): .delivered(reply.code)
            case .rejected(let reply): .rejected(reply.code)
            case .deferred(let reply): .deferred(reply.code)
            case .unreachable: .unreachable
            case .unknown: .unknown
            case .unsupported: .unsupported
            case .refused: .refused
            }
    }
}

extension DeliveryOutcome {
    var kind: OutcomeKind { OutcomeKind(self) }

    var reason: String {
        switch self {
        case .unreachable(let reason), .unknown(let reason), .refused(let reason), .unsupported(let reason): reason
        case .delivered, .rejected, .deferred: ""
        }
    }

    var reply: Reply? {
        switch self {
        case .delivered(let reply, _), .rejected(let reply), .deferred(let reply): reply
        case .unreachable, .unknown, .unsupported, .refused: nil
        }
    }
}

/// A folder of this test's own, removed with this object.
final class ScratchFolder: Sendable {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "smtp-" + UUID().uuidString
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o777])
        // The attribute above is cut by the umask.
        try FileManager.default.setAttributes([.posixPermissions: 0o777], ofItemAtPath: path)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}
