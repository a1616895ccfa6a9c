import Foundation
import MailModel
import Testing

@testable import SMTPAdapter

@Suite struct LoginTests {
    private static let login = SMTPConfiguration.Credentials(username: "user", password: "secret")

    private func deliver(_ answers: [String: ScriptedServer.Answer]) async throws -> (DeliveryOutcome, [String]) {
        let server = try ScriptedServer(answers)
        let outcome = try await deliverOnce(port: server.port) { $0.credentials = Self.login }
        return (outcome, server.record.commands)
    }

    @Test(arguments: ["PLAIN", "LOGIN PLAIN"])
    func aLoginComesBeforeTheMail(mechanisms: String) async throws {
        let server = try ScriptedServer { dialog in
            dialog.say("220 hi")
            while let line = dialog.readLine() {
                switch line.prefix(4) {
                case "EHLO": dialog.say("250-hi\r\n250 AUTH \(mechanisms)")
                case "AUTH":
                    dialog.say("334 ")
                    let isRight = dialog.readLine() == Data("\0user\0secret".utf8).base64EncodedString()
                    dialog.say(isRight ? "235 2.7.0 ok" : "535 5.7.8 wrong")
                case "DATA":
                    dialog.say("354 go")
                    _ = dialog.readMessage()
                    dialog.say("250 ok")
                default: dialog.say("250 ok")
                }
            }
        }
        let outcome = try await deliverOnce(port: server.port) {
            $0.credentials = Self.login
        }
        #expect(outcome.kind == .delivered(250), "\(outcome)")
    }

    @Test func withoutAUTHOfferedNothingIsSent() async throws {
        let (outcome, commands) = try await deliver([:])
        #expect(outcome.kind == .unreachable)
        #expect(outcome.reason.contains("offers no AUTH"), "\(outcome)")
        #expect(!commands.contains { $0.hasPrefix("MAIL") })
    }

    @Test func withoutEHLONothingIsSent() async throws {
        let (outcome, commands) = try await deliver(["EHLO": .say("502 5.5.2 What?")])
        #expect(outcome.reason.contains("offers no AUTH"), "\(outcome)")
        #expect(!commands.contains { $0.hasPrefix("MAIL") })
    }

    @Test func aRefusedLoginIsNotTheMessagesFault() async throws {
        let (outcome, commands) = try await deliver([
            "EHLO": .say("250-hi\r\n250 AUTH PLAIN"), "AUTH": .say("535 5.7.8 Authentication failed"),
        ])
        #expect(outcome.kind == .unreachable)
        #expect(outcome.reason.contains("check user name and password"), "\(outcome)")
        #expect(outcome.reason.contains("535 5.7.8 Authentication failed"), "\(outcome)")
        #expect(!outcome.reason.contains("secret"))
        #expect(!commands.contains { $0.hasPrefix("MAIL") })
    }

    @Test func noCommonMechanismIsALoginProblem() async throws {
        let (outcome, commands) = try await deliver(["EHLO": .say("250-hi\r\n250 AUTH CRAM-MD5 GSSAPI")])
        #expect(outcome.kind == .unreachable)
        #expect(outcome.reason.contains("PLAIN or LOGIN"), "\(outcome)")
        #expect(!commands.contains { $0.hasPrefix("AUTH") || $0.hasPrefix("MAIL") })
    }
}

@Suite struct TLSTests {
    @Test func requiredTLSThatIsNotOfferedSendsNothing() async throws {
        let server = try ScriptedServer([:])
        let outcome = try await deliverOnce(port: server.port) { $0.tls = .required }
        #expect(outcome.kind == .unreachable)
        #expect(outcome.reason.contains("switch STARTTLS on"), "\(outcome)")
        #expect(!server.record.commands.contains { $0.hasPrefix("MAIL") })
    }

    @Test func requiredTLSThatFailsSendsNothing() async throws {
        let server = try ScriptedServer([
            "EHLO": .say("250-hi\r\n250 STARTTLS"), "STARTTLS": .say("454 4.7.0 TLS not available"),
        ])
        let outcome = try await deliverOnce(port: server.port) { $0.tls = .required }
        #expect(outcome.kind == .unreachable)
        #expect(outcome.reason.contains("TLS is required"), "\(outcome)")
        #expect(!server.record.commands.contains { $0.hasPrefix("MAIL") })
    }

    @Test(
        arguments: [
            [:], ["EHLO": .say("250-hi\r\n250 STARTTLS"), "STARTTLS": .say("454 4.7.0 TLS not available")],
        ] as [[String: ScriptedServer.Answer]])
    func opportunisticTLSGoesOnWithoutIt(answers: [String: ScriptedServer.Answer]) async throws {
        let server = try ScriptedServer(answers)
        let outcome = try await deliverOnce(port: server.port) { $0.tls = .opportunistic }
        #expect(outcome.kind == .delivered(250), "\(outcome)")
    }

    @Test func aServerWithoutTLSBehindAnImplicitPortIsNamed() async throws {
        let server = try ScriptedServer([:])
        let outcome = try await deliverOnce(port: server.port, replyTimeout: .seconds(5)) { $0.tls = .implicit }
        #expect(outcome.kind == .unreachable)
        #expect(outcome.reason.contains("check the port"), "\(outcome)")
    }

    @Test func aSelfSignedCertificateIsRefusedUnlessItsFileIsNamed() async throws {
        let folder = try ScratchFolder()
        guard let server = OpenSSLServer(folder: folder) else {
            print("skipped: openssl is not installed")
            return
        }
        let distrusted = try await deliverOnce(port: server.port) { $0.tls = .implicit }
        #expect(distrusted.kind == .unreachable)
        #expect(distrusted.reason.contains("does not verify"), "\(distrusted)")
        #expect(distrusted.reason.contains("switch verification off"), "\(distrusted)")
        let trusted = try await deliverOnce(port: server.port) {
            $0.tls = .implicit
            $0.caFile = server.certificate
            $0.credentials = .init(username: "user", password: "secret")
        }
        #expect(trusted.kind == .delivered(250), "\(trusted)")
    }

    /// All over the one connection that the server serves: whatever goes wrong needs another.
    @Test func mailsAreSaidAheadOverTLSToo() async throws {
        let folder = try ScratchFolder()
        guard let server = OpenSSLServer(folder: folder, offer: "PIPELINING") else {
            print("skipped: openssl is not installed")
            return
        }
        let kinds = try await withTransport(
            port: server.port,
            change: {
                $0.tls = .implicit
                $0.caFile = server.certificate
            }
        ) { transport in
            await withTaskGroup(of: OutcomeKind.self) { group in
                for number in 0..<8 {
                    // Some in several pieces and records.
                    let text = String(repeating: "\(number)\r\n", count: number % 2 == 0 ? 1 : 100_000)
                    group.addTask { await transport.deliver(plainMail(text)).kind }
                }
                return await group.reduce(into: [OutcomeKind]()) { $0.append($1) }
            }
        }
        #expect(kinds == [OutcomeKind](repeating: .delivered(250), count: 8))
    }

    /// Whoever signed it: it is somebody else's.
    @Test func aCertificateOfAnotherNameIsRefused() async throws {
        let folder = try ScratchFolder()
        guard let server = OpenSSLServer(folder: folder, names: "DNS:other.example,IP:127.0.0.2") else {
            print("skipped: openssl is not installed")
            return
        }
        let outcome = try await deliverOnce(port: server.port) {
            $0.tls = .implicit
            $0.caFile = server.certificate
        }
        #expect(outcome.kind == .unreachable)
        #expect(outcome.reason.contains("does not verify"), "\(outcome)")
    }
}

/// TLS by openssl(1), whose standard input and output carry the dialog.
final class OpenSSLServer: Sendable {
    let certificate: String
    private let process: ListeningProcess

    var port: Int { process.port }

    /// - Parameters:
    ///   - names: whom the certificate is for, as openssl(1) writes it.
    ///   - offer: one more extension.
    init?(folder: ScratchFolder, names: String = "IP:127.0.0.1,DNS:localhost", offer: String = "HELP") {
        let openssl = "/usr/bin/openssl"
        let certificate = folder.path + "/cert.pem"
        let key = folder.path + "/key.pem"
        let maker = spawn(
            openssl,
            [
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                "-subj", "/CN=localhost", "-addext", "subjectAltName=\(names)",
                "-keyout", key, "-out", certificate,
            ])
        guard let maker else { return nil }
        waitpid(maker, nil, 0)
        self.certificate = certificate
        let toClient = Pipe()
        let fromClient = Pipe()
        let process = ListeningProcess(
            program: openssl, input: toClient.fileHandleForReading.fileDescriptor,
            output: fromClient.fileHandleForWriting.fileDescriptor
        ) { port in
            ["s_server", "-accept", "127.0.0.1:\(port)", "-cert", certificate, "-key", key]
        }
        guard let process else { return nil }
        self.process = process
        Thread.detachNewThread {
            let dialog = Dialog(
                number: 1, input: fromClient.fileHandleForReading.fileDescriptor,
                output: toClient.fileHandleForWriting.fileDescriptor, server: nil)
            // What is written earlier goes to whoever connects, handshake or not. This is the last line about it.
            while let line = dialog.readLine(), !line.hasPrefix("Secure Renegotiation") {}
            let login = Data("\0user\0secret".utf8).base64EncodedString().uppercased()
            dialog.serve([
                "EHLO": .say("250-hi\r\n250-\(offer)\r\n250 AUTH PLAIN"), "AUTH": .say("334 "),
                login: .say("235 2.7.0 ok"),
            ])
            withExtendedLifetime((toClient, fromClient)) {}
        }
    }
}
