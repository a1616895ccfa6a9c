import Foundation
import MailModel
import Testing

@testable import SMTPAdapter

/// Against Postfix' own test server, smtp-sink(1).
@Suite struct SinkDeliveryTests {
    private func sink(_ options: String...) -> ListeningProcess? {
        let privileges = geteuid() == 0 ? ["-u", "nobody"] : []
        let server = ListeningProcess(program: "/usr/sbin/smtp-sink") { port in
            privileges + options + ["127.0.0.1:\(port)", "100"]
        }
        if server == nil { print("skipped: smtp-sink is not installed") }
        return server
    }

    @Test(
        arguments: [
            ("-f", "CONNECT", .unreachable), ("-f", "MAIL", .rejected(500)), ("-f", "RCPT", .rejected(500)),
            ("-f", "DATA", .rejected(500)), ("-f", ".", .rejected(500)),
            ("-r", "CONNECT", .deferred(450)), ("-r", "MAIL", .deferred(450)), ("-r", "RCPT", .deferred(450)),
            ("-r", "DATA", .deferred(450)), ("-r", ".", .deferred(450)),
            ("-Q", "MAIL", .deferred(421)), ("-Q", "RCPT", .deferred(421)), ("-Q", ".", .deferred(421)),
            ("-q", "CONNECT", .unreachable), ("-q", "MAIL", .unreachable), ("-q", "DATA", .unreachable),
            ("-q", ".", .unknown),
        ] as [(String, String, OutcomeKind)])
    func aRealServersAnswersAreClassified(option: String, command: String, kind: OutcomeKind) async throws {
        guard let server = sink(option, command) else { return }
        let outcome = try await deliverOnce(port: server.port)
        #expect(outcome.kind == kind, "\(outcome)")
    }

    @Test func enhancedCodeAndTextArrive() async throws {
        guard let server = sink("-r", "RCPT", "-b", "451 4.7.1 Try again later") else { return }
        let outcome = try await deliverOnce(port: server.port)
        let reply = Reply(code: 451, enhancedCode: "4.7.1", text: "Try again later", stage: .recipient)
        #expect(outcome == .deferred(reply: reply))
    }

    @Test func theMessageArrivesAsItWas() async throws {
        let folder = try ScratchFolder()
        guard let server = sink("-d", folder.path + "/mail.") else { return }
        let body = ".\r\n..\r\n.a\r\n\r\nend\r\n"
        let sent = plainMail(body, from: "")
        let kind = try await withTransport(port: server.port) { await $0.deliver(sent).kind }
        #expect(kind == .delivered(250))
        let files = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        #expect(files.count == 1)
        let dump = try String(contentsOfFile: folder.path + "/" + #require(files.first), encoding: .utf8)
        #expect(dump.contains("X-Helo-Args: client.example\n"))
        #expect(dump.contains("X-Mail-Args: <>\n"), "\(dump)")
        #expect(dump.contains("X-Rcpt-Args: <bob@example.org>\n"))
        #expect(
            dump.hasSuffix(String(decoding: sent.bytes, as: UTF8.self).replacing("\r\n", with: "\n") + "\n"), "\(dump)")
    }

    @Test func largeMessagesFromManyTasksAllArrive() async throws {
        guard let server = sink() else { return }
        let body = String(repeating: String(repeating: "x", count: 76) + "\r\n", count: 13_000)
        let delivered = try await withTransport(port: server.port, workers: 4) { transport in
            await withTaskGroup(of: OutcomeKind.self) { group in
                for _ in 0..<40 { group.addTask { await transport.deliver(plainMail(body)).kind } }
                return await group.reduce(into: 0) { $0 += $1 == .delivered(250) ? 1 : 0 }
            }
        }
        #expect(delivered == 40)
    }
}
