import Logging
import Testing

@testable import SMTPAdapter

@Suite struct SMTPConfigurationTests {
    typealias Code = SMTPConfigurationError.Code

    struct Row: Sendable {
        var code: Code
        var change: @Sendable (inout SMTPConfiguration) -> Void
    }

    static let rows: [Row] = [
        Row(code: .invalidHost) { $0.host = "" },
        Row(code: .invalidHost) { $0.host = "relay/evil" },
        Row(code: .invalidHost) { $0.host = "user@relay" },
        Row(code: .invalidHost) { $0.host = "bücher.example" },
        Row(code: .invalidPort) { $0.port = 0 },
        Row(code: .invalidPort) { $0.port = 65_536 },
        Row(code: .invalidEHLOName) { $0.ehloName = "" },
        Row(code: .invalidEHLOName) { $0.ehloName = "mail.example\r\nMAIL FROM:<>" },
        Row(code: .invalidEHLOName) { $0.ehloName = "mail example" },
        Row(code: .invalidWorkers) { $0.workers = 0 },
        Row(code: .invalidWorkers) { $0.workers = 21 },
        Row(code: .invalidTimeout) { $0.replyTimeout = .zero },
        Row(code: .invalidTimeout) { $0.idleTimeout = .seconds(100_000) },
        Row(code: .unreadableCAFile) { $0.caFile = "/does/not/exist.pem" },
        Row(code: .invalidCredentials) { $0.credentials = .init(username: "", password: "p") },
        Row(code: .invalidCredentials) { $0.credentials = .init(username: "u", password: "p\u{0}") },
        Row(code: .credentialsInClear) {
            $0.host = "relay.example"
            $0.credentials = .init(username: "u", password: "secret-word")
        },
        Row(code: .credentialsInClear) {
            $0.host = "127.0.0.1.example"
            $0.tls = .opportunistic
            $0.credentials = .init(username: "u", password: "secret-word")
        },
    ]

    @Test(arguments: rows)
    func whatCannotWorkIsSaidAtTheStart(row: Row) throws {
        var configuration = SMTPConfiguration()
        row.change(&configuration)
        let error = #expect(throws: SMTPConfigurationError.self) {
            _ = try SMTPTransport(configuration: configuration, logger: Logger(label: "test"))
        }
        #expect(error?.code == row.code)
        #expect(error?.description.contains("secret-word") == false)
    }

    @Test(arguments: [
        ("localhost", true), ("LOCALHOST.", true), ("127.0.0.1", true), ("127.1.2.3", true), ("::1", true),
        ("127.0.0.256", false), ("127.0.0.1.example", false), ("localhost.example", false), ("10.0.0.1", false),
    ])
    func loopbackIsASpelling(host: String, isLoopback: Bool) {
        #expect(SMTPConfiguration(host: host).isLoopback == isLoopback)
    }

    @Test func theURLBearsTheEHLONameAndBrackets() {
        #expect(
            SMTPConfiguration(host: "relay.example", ehloName: "mail.example").url
                == "smtp://relay.example:25/mail.example")
        #expect(
            SMTPConfiguration(host: "::1", port: 465, ehloName: "[IPv6:2001:db8::1]", tls: .implicit).url
                == "smtps://[::1]:465/%5BIPv6%3A2001%3Adb8%3A%3A1%5D")
    }

    @Test func timesAreRoundedUpToSeconds() {
        #expect(Duration.milliseconds(1).wholeSeconds == 1)
        #expect(Duration.milliseconds(1_001).wholeSeconds == 2)
        #expect(Duration.seconds(600).wholeSeconds == 600)
    }
}
