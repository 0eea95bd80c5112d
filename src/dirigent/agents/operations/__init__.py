"""Agents that tell, publish and ask elsewhere: they carry out steps of the types notify, emit and http."""
