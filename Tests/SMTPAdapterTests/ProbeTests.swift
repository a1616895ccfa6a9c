import Foundation
import Logging
import Testing

@testable import SMTPAdapter

@Suite struct ProbeTests {
    private func probe(
        _ answers: [String: ScriptedServer.Answer], change: (inout SMTPConfiguration) -> Void = { _ in }
    ) throws -> (trouble: String?, commands: [String]) {
        let server = try ScriptedServer(answers)
        var configuration = SMTPConfiguration(port: server.port, connectTimeout: .seconds(5), replyTimeout: .seconds(5))
        change(&configuration)
        let trouble = try SMTPProbe.run(configuration, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        return (trouble, server.record.commands)
    }

    @Test func relayThatWaitsForMailIsInOrderAndGetsNone() throws {
        let (trouble, commands) = try probe([:])
        #expect(trouble == nil)
        #expect(commands.contains { $0.hasPrefix("EHLO") } && !commands.contains { $0.hasPrefix("MAIL") })
    }

    @Test func loginIsTriedAndMustBeOffered() throws {
        let login = SMTPConfiguration.Credentials(username: "user", password: "secret")
        let (missing, _) = try probe([:]) { $0.credentials = login }
        #expect(missing?.contains("offers no AUTH") == true)
        let (wrong, _) = try probe([
            "EHLO": .say("250-hi\r\n250 AUTH PLAIN"), "AUTH": .say("535 5.7.8 Authentication failed"),
        ]) { $0.credentials = login }
        #expect(wrong?.contains("check user name and password") == true && wrong?.contains("secret") == false)
    }

    @Test func requiredTLSMustBeOffered() throws {
        let (trouble, _) = try probe([:]) { $0.tls = .required }
        #expect(trouble?.contains("TLS is required") == true)
    }

    @Test func nobodyThereIsSaid() throws {
        let configuration = SMTPConfiguration(port: 1, connectTimeout: .seconds(2))
        let trouble = try SMTPProbe.run(configuration, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        #expect(trouble?.contains("127.0.0.1:1") == true)
    }
}
