import JSONValue
import MailFormat
import MailModel

/// One mail of the corpus of bounces, complaints and automatic replies, with what another program makes of it.
package struct BounceCase: Sendable {
    /// That program's word about one recipient.
    package struct Expectation: Hashable, Sendable {
        /// The first digit of the status; nil where it gives none.
        package var category: Int?
        package var isHard: Bool
        package var reason: String

        var text: String { "\(category.map(String.init) ?? "-") \(isHard ? "hard" : "soft") \(reason)" }
    }

    package var name: String
    package var bytes: [UInt8]
    /// Nil: nobody knows. Empty for what is no bounce.
    package var expected: [Expectation]?

    /// Every mail of the corpus in order of the names.
    package static func all(in folder: CorpusFolder) throws -> [BounceCase] {
        let readings = try JSONParser.parse(try folder.read("bounces/expected.json")).objectValue ?? [:]
        return try folder.files(in: "bounces", suffix: ".eml").map { name in
            let expected = name.hasPrefix("not/") ? [] : readings[name]?.arrayValue?.map(expectation)
            return BounceCase(name: name, bytes: try folder.read("bounces/\(name)"), expected: expected)
        }
    }

    private static func expectation(_ json: JSON) -> Expectation {
        Expectation(
            category: json["status"]?.stringValue?.first?.wholeNumberValue, isHard: json["hardBounce"] == .bool(true),
            reason: json["reason"]?.stringValue ?? "")
    }

    /// The mail as it would have come: its reverse path is what Return-Path says, and some address where there is none.
    package var message: ReceivedMessage {
        let (headers, body) = MessageReader.split(bytes)
        var message = ReceivedMessage(headers: headers, body: body)
        let path = message.headers(named: "Return-Path").first
        message.reversePath = path.map { $0.filter { $0 != "<" && $0 != ">" && $0 != " " } } ?? "unknown@example.org"
        return message
    }

    package var hasStatusPart: Bool {
        let message = message
        return MessageReader.parts(headers: message.headers, body: message.body).all
            .contains { $0.contentType.essence.hasSuffix("delivery-status") }
    }

    /// Whether the number in the name is even: the half that was looked at while the first rules were written.
    var isEven: Bool {
        let digits = name.split(separator: "-").last.map { $0.prefix { $0.isNumber } } ?? ""
        return (Int(digits) ?? 1) % 2 == 0
    }

    /// Whether the class that was found is what is expected of one recipient, and what was found.
    func agreement(_ index: Int, of expected: [Expectation], with found: MailClass) -> (agrees: Bool, what: String) {
        let wanted = expected[index]
        switch (wanted.reason, found) {
        case ("feedback", .complaint), ("vacation", .automaticReply): return (true, found.name)
        case ("feedback", _), ("vacation", _): return (false, found.name)
        case (_, .deliveryReport(let report)):
            guard report.recipients.count == expected.count else {
                return (false, "\(report.recipients.count) recipients: \(report.recipients.map(\.address))")
            }
            let recipient = report.recipients[index]
            let isSameClass = wanted.category == nil || wanted.category == recipient.status.category
            let text = "\(recipient.status) \(recipient.isHard ? "hard" : "soft") \(recipient.reason.rawValue)"
            return (isSameClass && recipient.isHard == wanted.isHard, "\(text) \"\(recipient.diagnostic.prefix(150))\"")
        default: return (false, found.name)
        }
    }
}

extension Agreement {
    /// How far recognition agrees about each recipient; mails of which nobody knows are left out.
    package static func bounces(in folder: CorpusFolder) throws -> Agreement { try bouncesByKind(in: folder).all }

    /// The same, and apart the recipients of mails with a delivery-status part and those of mails without one.
    package static func bouncesByKind(
        in folder: CorpusFolder
    ) throws -> (all: Agreement, withStatusPart: Agreement, others: Agreement) {
        var all = Agreement(corpus: "bounces")
        var withStatusPart = Agreement(corpus: "with a delivery status part")
        var others = Agreement(corpus: "without one")
        var even = Agreement(corpus: "even numbers")
        var odd = Agreement(corpus: "odd numbers")
        for bounce in try BounceCase.all(in: folder) {
            guard let expected = bounce.expected else { continue }
            let found = MailRecognizer.recognize(bounce.message).mailClass
            if expected.isEmpty {
                if case .deliveryReport = found { all.notes.append("\(bounce.name): called a bounce") }
                continue
            }
            let hasStatusPart = bounce.hasStatusPart
            for index in expected.indices {
                let (agrees, what) = bounce.agreement(index, of: expected, with: found)
                all.count(agrees, "\(bounce.name) [\(index + 1)]: \(what), expected \(expected[index].text)")
                hasStatusPart ? withStatusPart.count(agrees, "") : others.count(agrees, "")
                bounce.isEven ? even.count(agrees, "") : odd.count(agrees, "")
            }
        }
        all.notes += [withStatusPart, others, even, odd].map { "\($0.corpus): \($0.share)" }
        return (all, withStatusPart, others)
    }
}
