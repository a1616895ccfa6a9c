import MailModel

/// A message that travels inside another (message/rfc822, message/global), as a list of attachments shows it. Its text is not
/// the outer message's, and stays in its bytes.
package struct EmbeddedMessage: Hashable, Sendable {
    /// Decoded, one line; empty when there is none.
    package var subject = ""
    /// The first mailbox of From.
    package var from: Mailbox?
    /// The Date field in microseconds UTC.
    package var date: Int64?
    /// Without angle brackets.
    package var messageID: String?
    /// What is attached to it, in order of appearance.
    package var files: [File] = []

    /// A message of which nothing is known.
    package init() {}

    /// A file attached to a message inside another.
    package struct File: Hashable, Sendable {
        /// As the sender wrote it; a name to show, no path to write to.
        package var filename: String?
        /// `image/png`, in lower case.
        package var contentType: String
        /// Decoded bytes.
        package var size: Int
        /// The message that it is; nil for other files, and beyond the limits.
        package var message: EmbeddedMessage?

        /// Its name, or one that is made from what it is.
        package var shownName: String? { filename ?? message?.fileName }
    }

    /// `Subject.eml`; nil without a subject.
    package var fileName: String? {
        guard !subject.isEmpty else { return nil }
        // At most 244 bytes. No part of a name may be taken for a folder.
        let scalars: [Unicode.Scalar] = subject.unicodeScalars.prefix(60).map { $0 == "/" || $0 == "\\" ? "-" : $0 }
        var name = String.UnicodeScalarView()
        name.append(contentsOf: scalars)
        return String(name) + ".eml"
    }
}

/// Opens the messages that are attached to a message. Their parts and levels count with those of the message around them.
struct EmbeddedReader {
    private let limits: ReadingLimits
    private(set) var defects: DefectList
    private var partsLeft: Int
    /// Messages inside each other share their bytes, which are gone through once for each of them.
    private var bytesLeft: Int
    private var messagesLeft = Self.countLimit

    /// Messages inside each other, whatever the limit of levels says.
    private static let depthLimit = 8
    /// Messages that are opened: a mail of nothing but messages has one for every two of its parts, each with a header.
    private static let countLimit = 50
    /// Bytes of a shown field that are read.
    private static let fieldLimit = 2048
    private static let fields = ["Subject", "From", "Date", "Message-ID"]

    init(parts: MessageParts, limits: ReadingLimits, defects: DefectList) {
        self.limits = limits
        self.defects = defects
        partsLeft = limits.parts - parts.all.count
        bytesLeft = max(4 * parts.body.count, 1 << 20)
    }

    /// Nil for a part that is no message, that has no header, or that is beyond the limits.
    /// - Parameters:
    ///   - level: levels around the message that the part belongs to.
    ///   - depth: how many messages are opened with this one.
    mutating func message(
        in part: MessagePart, of parts: MessageParts, level: Int = 0, depth: Int = 1
    ) -> EmbeddedMessage? {
        let type = part.contentType.essence
        guard type == "message/rfc822" || type == "message/global" else { return nil }
        // A digest is no broken mail.
        guard messagesLeft > 0 else { return nil }
        guard partsLeft > 0 else {
            defects.note(.tooManyParts)
            return nil
        }
        let level = level + part.depth + 1
        guard level <= limits.nesting, depth <= Self.depthLimit, part.range.count <= bytesLeft else {
            defects.note(.nestedTooDeeply)
            return nil
        }
        bytesLeft -= part.range.count
        // Nearly all are written as they are: nothing is copied then.
        if part.encoding == .identity { return open(parts.body, part.range, level: level, depth: depth) }
        // Which RFC 2046 section 5.2.1 does not allow, but programs do. Not inside each other: all would be in memory at once.
        guard depth == 1 else { return nil }
        let bytes = parts.content(of: part)
        return open(bytes, 0..<bytes.count, level: level, depth: depth)
    }

    private mutating func open(_ bytes: [UInt8], _ range: Range<Int>, level: Int, depth: Int) -> EmbeddedMessage? {
        messagesLeft -= 1
        var headerLimits = limits
        headerLimits.fieldBytes = min(limits.fieldBytes, Self.fieldLimit)
        headerLimits.addresses = 1
        // Empty lines in front are left by programs that forget where a part's header ends.
        let start = bytes[range].firstIndex { $0 > 0x20 } ?? range.upperBound
        let (fields, end) = HeaderSplitter.header(of: bytes[start..<range.upperBound], limits: headerLimits)
        guard !fields.isEmpty else { return nil }
        var partLimits = limits
        partLimits.parts = partsLeft
        partLimits.nesting = limits.nesting - level
        let parts = PartScanner.scan(headers: fields, body: bytes, in: end..<range.upperBound, limits: partLimits)
        partsLeft -= parts.all.count
        // What else is wrong with it is no defect of the message that was received.
        for defect in parts.defects where defect == .tooManyParts || defect == .nestedTooDeeply {
            defects.note(defect)
        }
        var message = header(fields, limits: headerLimits)
        for index in BodyReader.attached(parts.all) {
            let part = parts.all[index]
            message.files.append(
                .init(
                    filename: part.filename, contentType: part.contentType.essence,
                    size: part.encoding.decodedSize(parts.raw(part)),
                    message: self.message(in: part, of: parts, level: level, depth: depth + 1)))
        }
        return message
    }

    private func header(_ fields: [HeaderField], limits: ReadingLimits) -> EmbeddedMessage {
        let shown = fields.compactMap { field -> HeaderField? in
            guard Self.fields.contains(where: { field.isNamed($0) }) else { return nil }
            return HeaderField(name: field.name, value: Array(field.value.prefix(Self.fieldLimit)))
        }
        var read = ReadMessage()
        var decoder = HeaderDecoder(limits: limits)
        MessageReader.readHeader(shown, with: &decoder, into: &read)
        var message = EmbeddedMessage()
        message.subject = read.subject
        message.from = read.from
        message.date = read.date
        message.messageID = read.messageID
        return message
    }
}
