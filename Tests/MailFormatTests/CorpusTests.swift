import CorpusKit
import Foundation
import JSONValue
import MailFormat
import MailModel
import Testing

/// How far reading and recognition agree with other programs over the corpora beside the project, with floors below what was
/// reached. Skipped with a notice where the corpora are absent.
struct CorpusTests {
    private let folder = CorpusFolder()

    private func isThere(_ corpus: String) -> Bool {
        if !folder.files(in: corpus, suffix: ".eml").isEmpty { return true }
        print("SKIP: no corpus \(corpus) (POSTRIDER_CORPORA or ../shared/corpora)")
        return false
    }

    /// Exceptions are named with their reason; one that agrees after all must be struck out.
    @Test func messagesAreReadAsAnotherParserReadsThemButForNamedExceptions() throws {
        guard isThere("mime") else { return }
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("mime-exceptions.json")
        let exceptions = try #require(try JSONParser.parse([UInt8](try Data(contentsOf: file))).objectValue)
        for mime in try MimeCase.all(in: folder) {
            let differences = mime.seriousDifferences
            #expect(differences.isEmpty != (exceptions[mime.name] != nil), "\(mime.name): \(differences)")
        }
        let agreement = try Agreement.mime(in: folder)
        print("corpus mime: \(agreement.share); \(agreement.notes.last ?? "")")
        #expect(agreement.agree * 100 >= agreement.total * 95)
    }

    @Test func headersAreReadAsAnotherParserReadsThem() throws {
        guard isThere("mime") else { return }
        var scores: [String: Agreement] = [:]
        for mime in try MimeCase.all(in: folder) {
            let read = MessageReader.read(mime.message)
            compareHeaders(mime.reading, read) {
                scores[$0, default: Agreement(corpus: $0)].count($1, mime.name)
            }
        }
        for (field, score) in scores.sorted(by: { $0.key < $1.key }) {
            print("corpus mime \(field): \(score.share); differing: \(score.differences)")
            #expect(score.agree * 100 >= score.total * 90, "\(field): \(score.differences)")
        }
    }

    private func compareHeaders(_ reading: JSON, _ read: ReadMessage, _ note: (String, Bool) -> Void) {
        if let subject = reading.rootField("subject")?["Text"]?.stringValue {
            note("subject", squeezed(subject) == squeezed(read.subject))
        }
        if let id = reading.rootField("message_id")?["Text"]?.stringValue { note("message-id", id == read.messageID) }
        if let from = reading.rootField("from")?["Address"]?["List"]?.arrayValue?.first {
            let name = from["name"]?.stringValue.map(squeezed)
            let isEqual = from["address"]?.stringValue == read.from?.address.description
            note("from", isEqual && name == read.from?.name.map(squeezed))
        }
    }

    private func squeezed(_ text: String) -> String {
        text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
    }

    @Test func bouncesAreRecognisedAsAnotherProgramRecognisesThem() throws {
        guard isThere("bounces") else { return }
        let (agreement, withStatusPart, others) = try Agreement.bouncesByKind(in: folder)
        for difference in agreement.differences { print("corpus bounces differs: \(difference)") }
        for note in agreement.notes { print("corpus bounces: \(note)") }
        print("corpus bounces: \(agreement.share)")
        #expect(agreement.agree * 100 >= agreement.total * 92)
        #expect(withStatusPart.total > 0 && withStatusPart.agree * 100 >= withStatusPart.total * 97)
        #expect(others.total > 0 && others.agree * 100 >= others.total * 85)
        #expect(!agreement.notes.contains { $0.hasSuffix("called a bounce") })
    }

    @Test func whatIsNoBounceIsCalledNone() throws {
        guard isThere("bounces") else { return }
        for bounce in try BounceCase.all(in: folder) where bounce.name.hasPrefix("not/") {
            let found = MailRecognizer.recognize(bounce.message)
            if case .deliveryReport = found.mailClass {
                Issue.record("\(bounce.name) is called a bounce: \(found.evidence)")
            }
        }
    }

    /// Damage of any kind ends in a reading, not in a crash: a sample here, everything with POSTRIDER_EXHAUSTIVE.
    @Test(.timeLimit(.minutes(60))) func damagedCorpusIsRead() throws {
        guard isThere("mime"), isThere("bounces") else { return }
        let isWhole = ProcessInfo.processInfo.environment["POSTRIDER_EXHAUSTIVE"] != nil
        var messages = try MimeCase.all(in: folder).map { ($0.name, $0.bytes) }
        messages += try BounceCase.all(in: folder).map { ($0.name, $0.bytes) }
        var readings = 0
        for (index, (_, bytes)) in messages.enumerated() {
            readings += Damage(seed: UInt64(index)).read(bytes, samples: isWhole ? nil : 4)
        }
        print("corpus damage: \(readings) readings of \(messages.count) messages")
        #expect(readings >= messages.count * 8)
    }
}

/// A message cut off or with one byte changed.
struct Damage {
    private var state: UInt64

    init(seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 &+ 1 }

    /// Bytes that mean something to a reader, and two that are none.
    private static let values: [UInt8] = [0, 0x0A, 0x0D, 0x20, 0x22, 0x2D, 0x3A, 0x3C, 0x3D, 0x40, 0x80, 0xFF]

    /// Reads every truncation and every change, or as many of each as `samples` says. Gives the number of readings.
    func read(_ bytes: [UInt8], samples: Int?) -> Int {
        var copy = self
        guard !bytes.isEmpty else { return 0 }
        let places =
            samples.map { count in (0..<count).map { _ in copy.next(below: bytes.count) } } ?? Array(bytes.indices)
        for place in places {
            Damage.readEverything(Array(bytes[..<place]))
            var changed = bytes
            changed[place] = Damage.values[copy.next(below: Damage.values.count)]
            Damage.readEverything(changed)
        }
        return places.count * 2
    }

    static func readEverything(_ bytes: [UInt8]) {
        let message = Corpus.message(bytes)
        let (read, parts) = MessageReader.readWithParts(message)
        _ = MailRecognizer.recognize(message, read: read, parts: parts)
        _ = read.strippedText
        if let html = read.htmlBody { _ = HTMLSanitizer.sanitize(html) }
    }

    private mutating func next(below limit: Int) -> Int {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Int((state >> 33) % UInt64(limit))
    }
}

extension JSON {
    /// The value of a header field of the root part, in the corpus' shape.
    fileprivate func rootField(_ name: String) -> JSON? {
        guard case .array(let parts)? = self["parts"], let root = parts.first else { return nil }
        return root["headers"]?.arrayValue?.first { $0["name"]?.stringValue == name }?["value"]
    }
}
