import JSONValue
import MailFormat
import MailModel
import WorkflowModel

extension MailBuilder {
    /// The HTML as it goes out: with links that lead over an address of ours, and with the open pixel.
    /// - Parameter place: what anonymous hits are counted for.
    func tracked(_ html: String, entry: OutboxEntry, content: TemplateContent, place: SharedPlace) -> String {
        if contact?.refusesTracking == true { return html }
        let configuration = context.configuration
        guard let base = configuration.trackingURL ?? context.trackingAddress.value else { return html }
        var html = html
        switch min(configuration.clicks(in: project), content.tracksClicks ?? Self.usualMode(of: entry)) {
        case .off: break
        case .anonymous:
            let sources = [content.html, content.markdown].compactMap(\.self)
            html = HTMLLinks.rewrite(html) { sharedLink($0, base: base, entry: entry, place, sources) }
        case .on: html = HTMLLinks.rewrite(html) { trackedLink($0, base: base, entry: entry) }
        }
        switch Self.opens(of: entry, content, configuration, project) {
        case .off: break
        case .anonymous:
            html = HTMLPixel.insert(into: html, url: "\(base)/o/\(context.tokens.token(for: place)).gif")
        case .on:
            html = HTMLPixel.insert(
                into: html, url: "\(base)/o/\(context.tokens.token(.open, for: entry.id)).gif")
        }
        return html
    }

    /// Which pixel the mail carries.
    static func opens(
        of entry: OutboxEntry, _ content: TemplateContent, _ configuration: EngineConfiguration, _ project: Project?
    ) -> TrackingMode {
        min(configuration.opens(in: project), content.tracksOpens ?? usualMode(of: entry))
    }

    /// Automatic replies are not tracked unless their template asks for it.
    private static func usualMode(of entry: OutboxEntry) -> TrackingMode { entry.request.answers == nil ? .on : .off }

    /// By which Gmail's reports tell mails to many apart: template version, project, kind, and the program that sent them.
    func feedbackID(for entry: OutboxEntry) -> HeaderField? {
        guard let project, entry.isBulk else { return nil }
        let kind = entry.request.kind.rawValue.lowercased()
        return HeaderField("Feedback-ID", "\(entry.request.templateVersionID):\(project.slug):\(kind):postrider")
    }

    private func trackedLink(_ url: String, base: String, entry: OutboxEntry) -> String? {
        destination(url, base: base, entry: entry).map {
            "\(base)/c/\(context.tokens.token(forLinkTo: $0, in: entry.id))"
        }
    }

    /// Only an address that stands in the template as it goes out is the same for everybody: what a variable has made may name
    /// its reader, and stays as it is.
    private func sharedLink(
        _ url: String, base: String, entry: OutboxEntry, _ place: SharedPlace, _ sources: [String]
    ) -> String? {
        guard place.version != nil, let destination = destination(url, base: base, entry: entry) else { return nil }
        let forms = [url, url.replacing("&", with: "&amp;")]
        guard sources.contains(where: { source in forms.contains { source.contains($0) } }) else { return nil }
        return "\(base)/c/\(context.tokens.token(for: place, link: destination))"
    }

    /// Nil for what stays as it is: whatever is no web address, our own pages, and an address that names the recipient or
    /// the contact, for the token would carry it.
    private func destination(_ url: String, base: String, entry: OutboxEntry) -> String? {
        let bases = [base, context.trackingAddress.value].compactMap(\.self)
        guard let destination = LinkDestination.accepted(url, limit: TokenSigner.destinationLimit),
            !bases.contains(where: { isOwnPage(destination, $0) })
        else { return nil }
        // Without a sign of an address nothing need be compared.
        if destination.utf8.contains(UInt8(ascii: "@")) || destination.utf8.contains(UInt8(ascii: "%")) {
            let request = entry.request
            // The contact's own may be another one, and stand in any of its data.
            let people = [
                Self.address(in: request.recipient) ?? request.recipient,
                request.variables["contact"]?["email"]?.stringValue, request.variables["email"]?.stringValue,
                contact?.email,
            ].compactMap(\.self)
            guard !people.contains(where: { LinkDestination.names($0, in: destination) }) else { return nil }
        }
        return destination
    }

    private func isOwnPage(_ destination: String, _ base: String) -> Bool {
        guard destination.hasPrefix(base) else { return false }
        return ["/u/", "/m/", "/c/", "/o/"].contains { destination.dropFirst(base.count).hasPrefix($0) }
    }
}
