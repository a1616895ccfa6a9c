/// The bytes by which two deliveries of one mail are known to be the same; a hash of them is the key of deduplication.
///
/// A sender that lost our answer sends the same mail again. That copy has the same Message-ID and body and another queue
/// id, other trace fields and perhaps another host, so none of these take part. Each piece is preceded by its length,
/// so no two different messages give the same bytes.
package enum MessageFingerprint {
    /// Hands the pieces over one after the other without copying the body; feed them to a hash in this order.
    /// `recipients` are those the key is for: all of the transaction, or one, when each recipient is deduplicated alone.
    package static func feed(
        _ message: ReceivedMessage, recipients: [String], into sink: (UnsafeRawBufferPointer) -> Void
    ) {
        feedHead(message, recipients: recipients, into: sink)
        message.body.withUnsafeBytes(sink)
    }

    /// Everything but the bytes of the body, for whoever hashes those on their own.
    package static func head(of message: ReceivedMessage, recipients: [String]) -> [UInt8] {
        var bytes: [UInt8] = []
        feedHead(message, recipients: recipients) { bytes.append(contentsOf: $0) }
        return bytes
    }

    private static func feedHead(
        _ message: ReceivedMessage, recipients: [String], into sink: (UnsafeRawBufferPointer) -> Void
    ) {
        put("postrider-fingerprint-1", into: sink)
        let identifiers = message.headers(named: "Message-ID")
        put(list: identifiers, into: sink)
        put(list: [message.reversePath.lowercased()], into: sink)
        put(list: Array(Set(recipients.map { $0.lowercased() })).sorted(by: inByteOrder), into: sink)
        // A Message-ID names one mail (RFC 5322 section 3.6.4). The Date is no help beside it and may do harm: where the
        // sender left it out, Postfix writes one of its own for local clients, and another one for every retry.
        put(list: identifiers.isEmpty ? message.headers(named: "Date") : [], into: sink)
        put(String(message.body.count) + (message.isBodyTruncated ? "+" : ""), into: sink)
    }

    /// The same as one array.
    package static func input(for message: ReceivedMessage, recipients: [String]) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(message.body.count + 512)
        feed(message, recipients: recipients) { bytes.append(contentsOf: $0) }
        return bytes
    }

    /// The same for the whole transaction.
    package static func input(for message: ReceivedMessage) -> [UInt8] {
        input(for: message, recipients: message.recipients)
    }

    private static func inByteOrder(_ left: String, _ right: String) -> Bool {
        left.utf8.lexicographicallyPrecedes(right.utf8)
    }

    private static func put(list: [String], into sink: (UnsafeRawBufferPointer) -> Void) {
        put(String(list.count), into: sink)
        for text in list { put(text, into: sink) }
    }

    private static func put(_ text: String, into sink: (UnsafeRawBufferPointer) -> Void) {
        var bytes = Array(String(text.utf8.count).utf8)
        bytes.append(UInt8(ascii: ":"))
        bytes.append(contentsOf: text.utf8)
        bytes.append(UInt8(ascii: "\n"))
        bytes.withUnsafeBytes(sink)
    }
}
