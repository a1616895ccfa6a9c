/// What makes two automatic replies the same: who gets it, for mail to which route, from which template.
package struct ReplyKey: Hashable, Sendable {
    /// The address it goes to, as it stands in the mail that is answered.
    package var recipient: String
    /// The route by which that mail came; the address it was written to where no route is known.
    package var route: String
    package var template: Identifier

    package init(recipient: String, route: String, template: Identifier) {
        self.recipient = recipient
        self.route = route
        self.template = template
    }
}
