import Synchronization

/// What the milter is doing and has done since the process started.
package struct MilterGauges: Hashable, Sendable {
    /// Connections of the MTA that are open now.
    package var openSessions = 0
    /// Messages between MAIL and their end now.
    package var messagesInFlight = 0
    /// Messages waiting for their commit now.
    package var messagesWaiting = 0
    /// Messages handed to the intake.
    package var messages = 0
    /// Messages let go after their envelope because nobody wanted them.
    package var unwanted = 0
    /// Messages answered with a tempfail, whatever the reason.
    package var tempfails = 0
    /// Messages let go without a commit, because the configured fallback says so, or because they are the MTA's own.
    package var failedOpen = 0
    /// Messages whose commit did not come in time.
    package var timeouts = 0
    /// Commits that came after the fallback had been answered: the sender's second attempt will be a repetition.
    package var lateCommits = 0
    /// Messages whose header or body was cut at a limit.
    package var truncated = 0
    /// Recipients refused, beyond the limit or during shutdown.
    package var refusedRecipients = 0
    /// Bytes of bodies held now by messages that are not at their end.
    package var bytesInFlight = 0
    /// Messages put off because too much was under way, over all or from their client.
    package var refusedBusy = 0
    /// Recipients refused for good, because their domain does not know them.
    package var rejectedRecipients = 0
    /// Messages refused for good, by their routes.
    package var rejected = 0
    /// Messages put on hold.
    package var quarantined = 0
    /// Messages that began during shutdown: wanted recipients were refused, or the message was let go unread.
    package var refusedWhileDraining = 0
    /// Connections over TCP that are open now.
    package var tcpConnections = 0
    /// Connections that ended because what came over them was not the milter protocol.
    package var faults = 0
    /// Times when no connection could be taken, for want of a descriptor or of memory.
    package var refusedConnections = 0

    package init() {}
}

/// The gauges under their lock, and the gate that a shutdown closes. One lock for both, so that no message slips in
/// between "closed" and "none is open".
final class MilterMeters: Sendable {
    private struct State {
        var gauges = MilterGauges()
        var isDraining = false
    }

    private let state = Mutex(State())

    var gauges: MilterGauges { state.withLock(\.gauges) }

    /// Lets no further message in.
    func closeGate() { state.withLock { $0.isDraining = true } }

    /// A message begins, unless the gate is closed; then false, and nothing is counted as open.
    /// - Parameter isInternal: it comes through a closed gate as well. Nobody would send it a second time.
    func beginMessage(isInternal: Bool = false) -> Bool {
        state.withLock { state in
            if state.isDraining, !isInternal {
                state.gauges.refusedWhileDraining += 1
                return false
            }
            state.gauges.messagesInFlight += 1
            return true
        }
    }

    /// Messages on their way to their end that do not wait for a commit.
    var messagesOnTheirWay: Int { state.withLock { max(0, $0.gauges.messagesInFlight - $0.gauges.messagesWaiting) } }

    func count(_ change: (inout MilterGauges) -> Void) { state.withLock { change(&$0.gauges) } }
}
