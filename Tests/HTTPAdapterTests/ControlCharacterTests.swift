import Engine
import EngineTestKit
import JSONValue
import MailModel
import Testing
import WorkflowModel

@testable import HTTPAdapter

/// Line ends, NUL and what hides text, in every place of the API from where something comes into a mail's envelope or header.
@Suite struct ControlCharacterTests {
    private static let bad = [
        "\r\nBcc: victim@example.net", "\n", "\r", "\u{0}", "\u{1}", "\u{7F}", "\u{85}", "\u{2028}", "\u{202E}",
        "\u{FEFF}",
    ]

    /// Where an address is given, and the field that is complained about.
    private static let doors: [(method: String, path: String, field: String, body: @Sendable (JSON) -> JSON)] = [
        ("POST", "/v1/send", "to", { ["to": $0, "subject": "S", "body": "B"] }),
        ("POST", "/v1/send", "to.0.email", { ["to": [["email": $0, "name": "A"]], "subject": "S", "body": "B"] }),
        ("POST", "/v1/send", "from", { ["to": "a@example.org", "from": $0, "subject": "S", "body": "B"] }),
        ("POST", "/v1/send", "reply", { ["to": "a@example.org", "reply": $0, "subject": "S", "body": "B"] }),
        ("POST", "/v1/track", "email", { ["event": "x", "email": $0] }),
        ("POST", "/contacts", "email", { ["email": $0] }),
        ("POST", "/suppressions", "email", { ["email": $0] }),
    ]

    @Test func noAddressHasOne() async throws {
        try await withEngine { server in
            for bad in Self.bad {
                for address in [
                    "ann\(bad)@example.org", "ann@exam\(bad)ple.org", "\(bad)ann@example.org", "ann@example.org\(bad)",
                ] {
                    for door in Self.doors {
                        let reply = try await server.send(door.method, door.path, door.body(.string(address)))
                        // Some doors take away what blank stands around an address; nothing of it is left then.
                        let isBlank = bad.allSatisfy(\.isWhitespace) && !address.contains("@exam\(bad)")
                        if isBlank, reply.status != 422 { continue }
                        #expect(
                            reply.status == 422 && reply.fields == [door.field],
                            "\(door.path) \(door.field) \(address.debugDescription): \(reply.body)")
                        // The answer goes to a log or a page: it does not repeat what it refuses.
                        #expect(!reply.message.contains("victim"))
                    }
                }
            }
            for path in ["/contacts", "/suppressions"] {
                let rows = try await server.send("GET", path).body["data"]?.arrayValue ?? []
                #expect(rows.allSatisfy { $0["email"] == "ann@example.org" }, "\(path): \(rows)")
            }
            let transport = ScriptedTransport()
            try await server.engine.runDispatch(transport)
            #expect(transport.sent.isEmpty)
        }
    }

    /// Names, subjects and fields: those that end a line are refused, and what only looks like it stays inside its field.
    @Test func noFieldOfAMailHasOne() async throws {
        try await withEngine { server in
            let places: [@Sendable (String) -> JSON] = [
                { ["to": ["email": "a@example.org", "name": .string($0)], "subject": "S", "body": "B"] },
                {
                    [
                        "to": "a@example.org", "from": ["email": "s@example.org", "name": .string($0)], "subject": "S",
                        "body": "B",
                    ]
                },
                { ["to": "a@example.org", "name": .string($0), "subject": "S", "body": "B"] },
                { ["to": "a@example.org", "subject": .string($0), "body": "B"] },
                { ["to": "a@example.org", "subject": "S", "body": "B", "headers": ["X-Campaign": .string($0)]] },
                { ["to": "a@example.org", "subject": "S", "body": "B", "headers": [$0: "x"]] },
            ]
            for bad in Self.bad {
                for (number, place) in places.enumerated() {
                    let reply = try await server.send("POST", "/v1/send", place("x\(bad)y"))
                    let isControl = bad.unicodeScalars.contains { $0.value < 0x20 || $0.value == 0x7F }
                    if isControl || number == 5 {
                        #expect(reply.status == 422, "\(number) \(bad.debugDescription): \(reply.body)")
                    }
                    let transport = ScriptedTransport()
                    try await server.engine.runDispatch(transport)
                    #expect(transport.sent.count == (reply.status == 200 ? 1 : 0))
                    for mail in transport.sent {
                        let text = String(decoding: mail.bytes, as: UTF8.self)
                        #expect(mail.bytes.allSatisfy { $0 < 0x80 && $0 != 0 } && !text.contains("\nBcc:"))
                    }
                }
            }
        }
    }
}
