import Engine
import HTTPTypes
import Hummingbird

extension APIResponder {
    /// Leads on to where a link of a mail pointed. The token itself says where, and nobody else can make one, so that this
    /// leads nowhere but to what stood in a mail of ours, whatever the database does.
    func click(_ exchange: Exchange) throws -> Response {
        let token = exchange.parameters.first ?? ""
        let opens = Opens(context: context)
        let isRead = exchange.request.method == .get
        let destination: String
        if let link = context.tokens.verifyLink(token) {
            destination = link.destination
            if isRead { opens.noteClick(entry: link.entry, link: destination, by: client(of: exchange)) }
        } else if let shared = context.tokens.verifyShared(token), let link = shared.link {
            destination = link
            if isRead { opens.noteClick(place: shared.place, link: destination, by: client(of: exchange)) }
        } else {
            return try notFoundPage(exchange)
        }
        return Response(
            status: .found,
            headers: [
                .location: destination, .cacheControl: "no-store", .referrerPolicy: "no-referrer",
                .robotsTag: "noindex, nofollow", .xContentTypeOptions: "nosniff",
            ])
    }
}
