/// How far automatic replies go: to whom, how often, and when they stop altogether.
package struct ReplyLimits: Hashable, Sendable {
    /// Seconds in which a sender gets one reply to what he writes to one route, from one template.
    package var window: Int64 = 7 * 86_400
    /// Replies to one sender within an hour, over all routes, templates and projects.
    package var perSender = 3
    /// Replies to all addresses of one domain within an hour.
    package var perDomain = 100
    /// Replies within an hour; one more stops them all.
    package var overall = 1000
    /// Seconds for which there are none after that.
    package var pause: Int64 = 3600
    /// Seconds; what is older gets no answer.
    package var largestAge: Int64 = 7 * 86_400
    /// Received fields from which a loop is assumed.
    package var largestHopCount = 25
    /// Our own mails that a mail may refer to before its thread counts as a loop.
    package var largestThread = 3
    /// Whether only senders whom DMARC or SPF verified get an answer; a route can ask for it too.
    package var requiresAuthentication = false
    /// Further header fields that forbid an answer, lower case.
    package var refusedFields: Set<String> = []
    /// Whether a reply goes to the mailbox of From where DMARC verified it, and not to the reverse path.
    package var answersFrom = false
    /// Whether replies carry `Precedence: bulk`, for programs that know nothing newer.
    package var isMarkedAsBulk = true
    /// Whether replies have the null reverse path (RFC 3834 section 3.3); otherwise they have that of other mail.
    package var hasNullSender = true

    package init() {}

    /// The shortest window: two programs that answer each other must not meet again the same day.
    package static let shortestWindow: Int64 = 86_400
}
