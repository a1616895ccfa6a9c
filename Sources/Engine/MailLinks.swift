import Glibc
import JSONValue
import MailModel
import WorkflowModel

/// The addresses of our own pages that stand in one mail. They follow from the outbox row and the key alone, so that every
/// attempt has the same, but for one after a change of the key.
struct MailLinks {
    /// Leads to the page that ends the subscription, and is what mail programs call (RFC 8058).
    let unsubscribe: String
    /// Leads to the page where the reader chooses what to get.
    let manage: String

    /// Nil while nobody knows where this server is reached.
    init?(of entry: Identifier, context: EngineContext) {
        guard let base = context.trackingAddress.value else { return nil }
        unsubscribe = "\(base)/u/\(context.tokens.token(.unsubscribe, for: entry))"
        manage = "\(base)/m/\(context.tokens.token(.preferences, for: entry))"
    }

    /// What every mail's template can name.
    static let variables = ["unsubscribeUrl", "subscribeUrl", "manageUrl"]

    /// The variables of the request with ours, which nothing else may stand for.
    static func add(_ links: MailLinks?, to variables: JSONObject) -> JSONObject {
        var variables = variables
        variables["unsubscribeUrl"] = links.map { .string($0.unsubscribe) }
        variables["subscribeUrl"] = links.map { .string($0.manage) }
        variables["manageUrl"] = links.map { .string($0.manage) }
        return variables
    }

    /// The fields by which mail programs offer to unsubscribe (RFC 2369 section 3.2, RFC 8058 section 3.1), on mail to
    /// many and on any other that tells its reader how to. The second one promises https.
    func headers(for request: MailRequest, bodies: [String?]) -> [HeaderField] {
        let isOffered =
            switch request.kind {
            case .headless, .partial: false
            case .marketing: request.answers == nil || isShown(in: bodies)
            case .transactional: isShown(in: bodies)
            }
        guard isOffered else { return [] }
        var fields = [HeaderField("List-Unsubscribe", "<\(unsubscribe)>")]
        if unsubscribe.hasPrefix("https:") {
            fields.append(HeaderField("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"))
        }
        return fields
    }

    private func isShown(in bodies: [String?]) -> Bool {
        bodies.contains { body in body.map { Self.isIn($0, unsubscribe) || Self.isIn($0, manage) } ?? false }
    }

    /// By bytes, because text compared by characters costs more than all else that is done with a short mail's links.
    private static func isIn(_ body: String, _ link: String) -> Bool {
        var (body, link) = (body, link)
        return body.withUTF8 { body in
            link.withUTF8 { link in
                guard let start = body.baseAddress, let wanted = link.baseAddress, body.count >= link.count else {
                    return false
                }
                return (0...(body.count - link.count)).contains { position in
                    body[position] == link[0] && memcmp(start + position, wanted, link.count) == 0
                }
            }
        }
    }
}
