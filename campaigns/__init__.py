"""Faults on purpose: processes killed, power cut, disks damaged; counted by who looks from outside."""
