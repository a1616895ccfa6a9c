import Engine
import HTTPTypes
import Hummingbird

extension APIResponder {
    /// Leads on to where a link of a mail pointed. The token itself says where, and nobody else can make one, so that this
    /// leads nowhere but to what stood in a mail of ours, whatever the database does.
    func click(_ exchange: Exchange) throws -> Response {
        let token = exchange.parameters.first ?? ""
        guard let link = context.tokens.verifyLink(token) else { return try notFoundPage(exchange) }
        if exchange.request.method == .get {
            Opens(context: context).noteClick(
                entry: link.entry, link: link.destination, by: client(of: exchange))
        }
        return Response(
            status: .found,
            headers: [
                .location: link.destination, .cacheControl: "no-store", .referrerPolicy: "no-referrer",
                .robotsTag: "noindex, nofollow", .xContentTypeOptions: "nosniff",
            ])
    }
}
