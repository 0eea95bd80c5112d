"""Queue, manager and worker in one process: a trigger becomes a job, a job an envelope. No network, no model.

.venv/bin/python examples/wiring.py
"""

from __future__ import annotations

from dirigent import CampaignManager, Dispatcher, InMemoryQueue, LeadOrchestrator, Registry, Worker

LEADS = [
    {
        "lead_id": f"lead_{number}",
        "name": name,
        "company": company,
        "role": role,
        "engagement_score": 30 + 6 * number,
        "website_visits": number,
    }
    for number, (name, company, role) in enumerate(
        [
            ("Ada Lindqvist", "Northern Paper", "Head of Purchasing"),
            ("Ben Okafor", "Okafor & Sons", "Owner"),
            ("Chiara Russo", "Bottega Russo", "Buyer"),
            ("Dan Weiss", "Weiss Interiors", "Director"),
            ("Eun-ji Park", "Hanok Living", "Assistant"),
            ("Farid Rahimi", "Rahimi Gifts", "Manager"),
        ],
        start=1,
    )
]


def main() -> None:
    queue = InMemoryQueue()
    registry = Registry()
    manager = CampaignManager(queue=queue, registry=registry, allow_delivery=False)
    registry.register_flow("lead", LeadOrchestrator(dispatcher=Dispatcher({"writer": 2})))
    worker = Worker(queue=queue, registry=registry)

    payload = {"org_id": "org_123", "leads": LEADS}
    run = manager.ingest_event({"flow": "lead", "source": "api", "payload": payload})
    envelope = worker.run_once()
    assert envelope is not None, "there was a job"
    envelope.validate()

    for record in envelope.records:
        print(f"{record.data['score']:5.1f}  {record.data['lead_id']}  {record.data['draft']['subject']}")
    (trace,) = worker.audit.attempts(run.run_id)
    for stage in trace.stages:
        print(f"{stage.n}. {stage.name}: {stage.call}")


if __name__ == "__main__":
    main()
