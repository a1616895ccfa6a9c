import MailFormat
import MailModel
import WorkflowModel

extension MailBuilder {
    /// The HTML as it goes out: with links that lead over an address of ours, and with the open pixel.
    func tracked(_ html: String, entry: OutboxEntry, content: TemplateContent) -> String {
        guard let base = context.trackingAddress.value else { return html }
        var html = html
        // Automatic replies are not tracked unless their template asks for it.
        let isUsual = entry.request.answers == nil
        if context.configuration.clicks(in: project) != .off, content.tracksClicks ?? isUsual {
            html = HTMLLinks.rewrite(html) { trackedLink($0, base: base, entry: entry) }
        }
        if context.configuration.opens(in: project) != .off, content.tracksOpens ?? isUsual {
            html = HTMLPixel.insert(
                into: html, url: "\(base)/o/\(context.tokens.token(.open, for: entry.id)).gif")
        }
        return html
    }

    /// By which Gmail's reports tell mails to many apart: template version, project, kind, and the program that sent them.
    func feedbackID(for entry: OutboxEntry) -> HeaderField? {
        guard let project, entry.isBulk else { return nil }
        let kind = entry.request.kind.rawValue.lowercased()
        return HeaderField("Feedback-ID", "\(entry.request.templateVersionID):\(project.slug):\(kind):postrider")
    }

    /// Nil for what stays as it is: whatever is no web address, our own pages, and an address that names the recipient, for
    /// the token would carry it.
    private func trackedLink(_ url: String, base: String, entry: OutboxEntry) -> String? {
        guard let destination = LinkDestination.accepted(url, limit: TokenSigner.destinationLimit),
            !isOwnPage(destination, base)
        else { return nil }
        // Without a sign of an address nothing need be compared.
        if destination.utf8.contains(UInt8(ascii: "@")) || destination.utf8.contains(UInt8(ascii: "%")) {
            let recipient = entry.request.recipient.lowercased()
            let lowered = destination.lowercased()
            guard !lowered.contains(recipient), !lowered.contains(recipient.replacing("@", with: "%40")) else {
                return nil
            }
        }
        return "\(base)/c/\(context.tokens.token(forLinkTo: destination, in: entry.id))"
    }

    private func isOwnPage(_ destination: String, _ base: String) -> Bool {
        guard destination.hasPrefix(base) else { return false }
        return ["/u/", "/m/", "/c/", "/o/"].contains { destination.dropFirst(base.count).hasPrefix($0) }
    }
}
