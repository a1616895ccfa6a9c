import MailModel
import WorkflowModel

/// Where webhooks may go: everywhere in public over HTTPS, and where the administrator said so by name.
package struct WebhookDestinations: Hashable, Sendable {
    /// Nil stands for all.
    private let listed: Set<String>?

    /// - Parameter allowedHosts: `host` for every port or `host:port` for one; IPv6 addresses bare or, with a port, in
    ///   brackets. Lower case.
    package init(allowedHosts: [String] = []) {
        listed = Set(allowedHosts.map { $0.hasSuffix(".") ? String($0.dropLast()) : $0 })
    }

    private init(listed: Set<String>?) { self.listed = listed }

    /// Where the administrator's list is not known and nothing is called.
    package static let everywhere = WebhookDestinations(listed: nil)

    /// Whether the administrator vouches for the receiver.
    package func isListed(_ url: WebhookURL) -> Bool {
        listed.map { $0.contains(url.host) || $0.contains(url.authority) } ?? true
    }

    /// Why that receiver must not be called, before anything is looked up; nil when nothing speaks against it.
    package func objection(to url: WebhookURL) -> String? {
        guard url.scheme == .http, !isListed(url) else { return nil }
        return "http is only for hosts listed in webhooks.allowed_hosts: use https"
    }

    /// The same for the address that is about to be connected to, which is what counts: a name may lead anywhere, and
    /// elsewhere a moment later.
    ///
    /// - Parameter address: four or sixteen bytes in network order; anything else is refused.
    package func objection(toConnecting address: some Collection<UInt8>, for url: WebhookURL) -> String? {
        if isListed(url) { return nil }
        guard let address = IPAddress(bytes: address) else { return "\(url.host) has an address of an unknown kind" }
        return address.reservation.map {
            "\(url.host) leads to \(address), which is \($0); list the host in webhooks.allowed_hosts to allow that"
        }
    }
}
