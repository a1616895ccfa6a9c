import MailModel

/// When a message was on its way, by the servers it passed.
package enum ReceivedDate {
    /// The time in the oldest `Received` field (RFC 5321 section 4.4: behind the last semicolon), in microseconds; nil when there
    /// is none that can be read. Whoever sent the message wrote it.
    package static func oldest(in message: ReceivedMessage) -> Int64? {
        guard let field = message.headers.last(where: { $0.isNamed("Received") }),
            let semicolon = field.value.lastIndex(of: UInt8(ascii: ";"))
        else { return nil }
        var decoder = HeaderDecoder(limits: ReadingLimits())
        return decoder.date(HeaderField(name: field.name, value: Array(field.value[(semicolon + 1)...])))
    }
}
