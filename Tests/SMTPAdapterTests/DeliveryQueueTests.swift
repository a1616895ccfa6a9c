import Foundation
import MailModel
import Synchronization
import Testing

@testable import SMTPAdapter

@Suite struct DeliveryQueueTests {
    private func delivery(
        _ queue: DeliveryQueue, _ body: String, isUrgent: Bool = false,
        completion: @escaping DeliveryQueue.Completion = { _ in }
    ) -> DeliveryQueue.Delivery {
        var mail = plainMail(body)
        mail.isUrgent = isUrgent
        return DeliveryQueue.Delivery(number: queue.newNumber(), mail: mail, completion: completion)
    }

    private func numbers(_ queue: DeliveryQueue) -> [UInt64] {
        var numbers: [UInt64] = []
        while case .delivery(let delivery) = queue.next(within: .zero) { numbers.append(delivery.number) }
        return numbers
    }

    @Test func whatSomebodyWaitsForGoesFirstAndTheRestInItsOrder() {
        let queue = DeliveryQueue()
        for number in 1...100 { queue.add(delivery(queue, "\(number)", isUrgent: number % 10 == 0)) }
        let urgent = stride(from: 10 as UInt64, through: 100, by: 10)
        #expect(numbers(queue) == Array(urgent) + (1...100).filter { $0 % 10 != 0 })
    }

    @Test func whatSomebodyWaitsForIsNeverBegunAhead() {
        let queue = DeliveryQueue()
        #expect(queue.nextAhead()?.number == nil)
        queue.add(delivery(queue, "1"))
        queue.add(delivery(queue, "2", isUrgent: true))
        #expect(queue.nextAhead()?.number == nil)
        #expect(numbers(queue) == [2, 1])
        queue.add(delivery(queue, "3"))
        #expect(queue.nextAhead()?.number == 3)
    }

    @Test func nothingIsSaidAheadWhileAnotherConnectionIsFree() async {
        let queue = DeliveryQueue()
        async let taken = withCheckedContinuation { (continuation: CheckedContinuation<UInt64?, Never>) in
            Thread.detachNewThread {
                guard case .delivery(let delivery) = queue.next(within: nil) else {
                    return continuation.resume(returning: nil)
                }
                continuation.resume(returning: delivery.number)
            }
        }
        while queue.freeConnections == 0 { await Task.yield() }
        queue.add(delivery(queue, "1"))
        // Whether the other one has woken up by now or not.
        #expect(queue.nextAhead()?.number == nil)
        #expect(await taken == 1)
        queue.add(delivery(queue, "2"))
        #expect(queue.nextAhead()?.number == 2)
    }

    /// Each of them is busy with what it took: who comes sees to it that the next one comes.
    @Test(.timeLimit(.minutes(1)), arguments: [true, false])
    func allThatWaitComeWhenThereIsWorkForAll(isUrgent: Bool) async {
        let queue = DeliveryQueue(lookTime: .seconds(3600))
        let count = 8
        let (taken, continuation) = AsyncStream<UInt64>.makeStream()
        let end = DispatchSemaphore(value: 0)
        for _ in 0..<count {
            Thread.detachNewThread {
                guard case .delivery(let delivery) = queue.next(within: nil) else { return }
                continuation.yield(delivery.number)
                end.wait()
            }
        }
        while queue.freeConnections < count { await Task.yield() }
        for number in 1...count { queue.add(delivery(queue, "\(number)", isUrgent: isUrgent && number > 2)) }
        var numbers: Set<UInt64> = []
        for await number in taken {
            numbers.insert(number)
            if numbers.count == count { break }
        }
        #expect(numbers == Set(1...UInt64(count)))
        for _ in 0..<count { end.signal() }
    }

    @Test func whatIsWithdrawnOrLeftAtTheEndIsAnsweredOnceAndNotBegun() {
        let queue = DeliveryQueue()
        let answers = Mutex<[String: Int]>([:])
        for (name, isUrgent) in [("first", false), ("second", true), ("third", false), ("fourth", true)] {
            queue.add(delivery(queue, name, isUrgent: isUrgent) { _ in answers.withLock { $0[name, default: 0] += 1 } })
        }
        queue.withdraw(1)
        queue.withdraw(1)
        #expect(answers.withLock { $0 } == ["first": 1])
        guard case .delivery(let begun) = queue.next(within: .zero) else { return #expect(Bool(false)) }
        #expect(begun.number == 2)
        queue.withdraw(2)
        queue.close {}
        #expect(answers.withLock { $0 } == ["first": 1, "third": 1, "fourth": 1])
        guard case .closed = queue.next(within: nil) else { return #expect(Bool(false)) }
    }
}
