import Engine
import EngineTestKit
import Foundation
import JSONValue
import MailFormat
import MailModel
import Testing
import WorkflowModel

/// What an event, a contact or a stranger's mail says stands in the fields of a mail: none of it ends a field, adds one, or gets
/// the mail another recipient.
@Suite struct InjectionTests {
    private static let payloads = [
        "x\r\nBcc: victim@example.net", "x\nBcc: victim@example.net", "x\rBcc: victim@example.net",
        "x\r\n\r\nBcc: victim@example.net", "x\u{0}\r\nBcc: victim@example.net", "x\u{0B}\u{0C}Bcc: victim@example.net",
        "x\u{85}Bcc: victim@example.net", "x\u{2028}Bcc: victim@example.net",
        "=?utf-8?q?x=0D=0ABcc=3A_victim@example.net?=", "=?utf-8?b?eA0KQmNjOiB2aWN0aW1AZXhhbXBsZS5uZXQ=?=",
        "x, victim@example.net", "x <victim@example.net>", "<victim@example.net>", "victim@example.net,",
        "x>, <victim@example.net", "x\" <victim@example.net>, \"y",
        "x@example.org\r\nBcc: victim@example.net", "x@example.org\u{0}, victim@example.net",
        "x@example.org, victim@example.net", "x@example.org> RCPT TO:<victim@example.net",
    ]

    /// One place of a mail, each with the template or step that puts a variable there.
    private static let places: [(name: String, template: JSONObject, config: JSONObject)] = [
        ("subject", ["subject": "A {{ event.v }} b"], [:]),
        ("from", ["from": "{{ event.v }}"], [:]),
        ("a part of from", ["from": "Shop {{ event.v }} <shop@example.com>"], [:]),
        ("fromName", ["from": "shop@example.com", "fromName": "{{ event.v }}"], [:]),
        ("replyTo", ["replyTo": "{{ event.v }}"], [:]),
        ("the step's from", [:], ["from": "{{ event.v }}"]),
        ("the step's replyTo", [:], ["replyTo": "{{ event.v }}"]),
        ("to", [:], ["to": "{{ event.v }}"]),
        ("the name in to", [:], ["to": "{{ event.v }} <ben@example.org>"]),
        ("text", ["text": "{{ event.v }}"], [:]),
        ("html", ["html": "<p title=\"{{ event.v }}\">{{ event.v | raw }}</p>"], [:]),
    ]

    @Test(arguments: places.indices)
    func noVariableEndsAField(place: Int) async throws {
        let (name, changes, config) = Self.places[place]
        let (engine, _database) = try await makeEngine()
        _ = _database
        var template: JSONObject = [
            "type": "TRANSACTIONAL", "subject": "Hello", "text": "Hi", "from": "shop@example.com",
        ]
        template.merge(changes)
        var step = config
        step["template"] = "hello"
        try await engine.apply(
            document(
                event: "told", reentry: true, steps: ["mail": ["type": "SEND_EMAIL", "config": .object(step)]],
                templates: ["hello": .object(template)]))
        let usual: Set = [
            "from", "to", "reply-to", "subject", "date", "message-id", "mime-version", "content-type",
            "content-transfer-encoding", "x-postrider-delivery", "auto-submitted", "feedback-id",
        ]
        let wanted = name == "the name in to" ? "ben@example.org" : "ann@example.org"
        for payload in Self.payloads {
            try await engine.track("told", data: ["v": ["value": .string(payload), "persistent": false]])
            let transport = ScriptedTransport()
            try await engine.runDispatch(transport)
            // A value that makes no address makes no mail; there is never more than one.
            #expect(transport.sent.count <= 1, "\(name): \(payload.debugDescription)")
            for mail in transport.sent {
                // Whoever chooses the whole address chooses the recipient; nobody else does.
                let recipients = name == "to" ? ["victim@example.net"] : [wanted]
                #expect(recipients.contains(mail.recipient), "\(name): \(payload.debugDescription): \(mail.recipient)")
                let text = String(decoding: mail.bytes, as: UTF8.self)
                let header = text.components(separatedBy: "\r\n\r\n")[0]
                let names = header.replacing("\r\n ", with: " ").split(separator: "\r\n").map {
                    $0.prefix { $0 != ":" }.lowercased()
                }
                #expect(usual.isSuperset(of: names), "\(name): \(payload.debugDescription): \(names)")
                #expect(Set(names).count == names.count, "no field comes twice: \(names)")
                #expect(
                    !mail.bytes.contains(0) && !text.replacing("\r\n", with: "").contains { $0 == "\r" || $0 == "\n" })
                let read = MessageReader.read(MailBytes.message(mail.bytes))
                #expect(read.to.map { "\($0.address)" } == [mail.recipient])
                #expect(
                    name == "from" || name == "the step's from" || read.from?.address.domain != "example.net",
                    "\(name): \(payload.debugDescription)"
                )
            }
        }
    }
}

/// A mail's bytes taken apart as the milter hands them over.
enum MailBytes {
    static func message(_ bytes: [UInt8]) -> ReceivedMessage {
        let text = String(decoding: bytes, as: UTF8.self)
        let cut = text.firstRange(of: "\r\n\r\n")
        let head = text[..<(cut?.lowerBound ?? text.endIndex)].replacing("\r\n ", with: " ")
        let fields = head.split(separator: "\r\n").map { line in
            let colon = line.firstIndex(of: ":") ?? line.endIndex
            return HeaderField(String(line[..<colon]), String(line[colon...].dropFirst(2)))
        }
        return ReceivedMessage(headers: fields, body: Array(text[(cut?.upperBound ?? text.endIndex)...].utf8))
    }
}
