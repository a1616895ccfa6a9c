import MailModel
import WorkflowModel

/// Recognises a mail of ours that comes back in a report: the report quotes its header (RFC 6522 section 3), and there
/// stands our signed marker.
///
/// What such a report brings about is a consequence of the mail that came back. Counted from nothing, a workflow that
/// writes to a dead address whenever mail arrives would be started anew by each bounce of its own mail, for ever.
enum ReturnedMail {
    /// The outbox entry of the mail that `message` returns; nil when it is no report, or returns nothing of ours.
    static func entry(in message: ReceivedMessage, tokens: TokenSigner) -> Identifier? {
        // Reports have the null reverse path (RFC 5321 section 4.5.5).
        guard message.reversePath.isEmpty else { return nil }
        let field = Array("\(MailBuilder.markerField): ".utf8)
        var position = message.body.startIndex
        while let feed = message.body[position...].firstIndex(of: 0x0A) {
            position = feed + 1
            let line = message.body[position...]
            guard line.starts(with: field) else { continue }
            let token = String(decoding: line.dropFirst(field.count).prefix(TokenSigner.textLength), as: UTF8.self)
            if let entry = tokens.verify(token, kind: .delivery) { return entry }
        }
        return nil
    }
}
